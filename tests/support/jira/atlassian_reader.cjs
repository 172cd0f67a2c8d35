// Reads wiki markup with Atlassian's own converter: a list of texts in, a list of documents (ADF) out.
// Run with the folder of the packages as its argument.
const path = require('path');
const from = (name) => require(path.join(process.argv[2], 'node_modules', '@atlaskit', name));
const { WikiMarkupTransformer } = from('editor-wikimarkup-transformer');
const { JSONTransformer } = from('editor-json-transformer');
const wiki = new WikiMarkupTransformer();
const json = new JSONTransformer();
let given = '';
process.stdin.on('data', (part) => (given += part));
process.stdin.on('end', () => process.stdout.write(JSON.stringify(JSON.parse(given).map((text) => json.encode(wiki.parse(text))))));
