(function executeRule(current, previous) {
  // Handed out by the connector: tells it that an incident changed. It reads the rest by itself.
  var address = {{ url }};
  var key = {{ secret }};
  // Only ASCII is signed and sent, so that both are the same bytes whatever the instance encodes.
  function ascii(text) {
    return text.replace(/[^\x20-\x7e]/g, function (sign) {
      return '\\u' + ('0000' + sign.charCodeAt(0).toString(16)).slice(-4);
    });
  }
  try {
    var sentAt = String(Math.floor(new Date().getTime() / 1000));
    var body = ascii(JSON.stringify({
      event: String(current.operation()),
      table: String(current.getTableName()),
      sys_id: String(current.getUniqueValue()),
      number: String(current.getValue('number')),
      sys_mod_count: String(current.getValue('sys_mod_count')),
      sys_updated_on: String(current.getValue('sys_updated_on')),
      sent_at: sentAt
    }));
    var signature = new GlideCertificateEncryption().generateMac(key, 'HmacSHA256', sentAt + '.' + body);
    var request = new sn_ws.RESTMessageV2();
    request.disableForcedVariableSubstitution();
    request.setEndpoint(address);
    request.setHttpMethod('post');
    request.setHttpTimeout(10000);
    request.setRequestHeader('Content-Type', 'application/json');
    request.setRequestHeader('X-Timestamp', sentAt);
    request.setRequestHeader('X-Signature', String(signature));
    request.setRequestBody(body);
    request.execute();
  } catch (error) {
    gs.error('connector: an incident could not be told of: ' + error);
  }
})(current, previous);
