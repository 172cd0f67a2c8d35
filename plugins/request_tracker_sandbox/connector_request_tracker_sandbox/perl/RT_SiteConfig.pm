# The site of tests and the demo: nothing in /etc is read or changed, no mail leaves the machine.
use utf8;
my $folder = $ENV{CONNECTOR_RT_FOLDER} or die 'CONNECTOR_RT_FOLDER is not set';
my $port = $ENV{CONNECTOR_RT_PORT} || 80;
Set($rtname, 'desk.example');
Set($Organization, 'desk.example');
Set($Timezone, 'UTC');
Set($CorrespondAddress, 'desk@desk.example');
Set($CommentAddress, 'desk-comment@desk.example');
Set($WebDomain, '127.0.0.1');
Set($WebPort, $port);
Set($WebBaseURL, "http://127.0.0.1:$port");
Set($WebURL, "http://127.0.0.1:$port/");
Set($DatabaseType, 'SQLite');
Set($DatabaseName, "$folder/rt.sqlite");
Set($DatabaseUser, '');
Set($DatabasePassword, '');
Set($LogToSyslog, undef);
Set($LogToSTDERR, 'warning');
Set($LogToFile, undef);
Set($MailCommand, 'testfile');
Set($MasonDataDir, "$folder/mason");
Set($MasonSessionDir, "$folder/session");
Set($WebSessionClass, 'Apache::Session::File');
# A token is hashed at each call: the usual 12 takes half a second, and these guard nothing.
Set($BcryptCost, 4);
Set(%PriorityAsString, Default => [ Lowest => 0, Low => 25, Medium => 50, High => 75, Highest => 100 ]);
# A queue with statuses of its own, of which not every one can follow every other.
Set(%Lifecycles, stages => {
    initial         => ['received'],
    active          => ['accepted', 'in work', 'waiting'],
    inactive        => ['done', 'declined', 'deleted'],
    defaults        => { on_create => 'received' },
    transitions     => {
        ''        => ['received'],
        received  => ['accepted', 'declined', 'deleted'],
        accepted  => ['in work', 'declined', 'deleted'],
        'in work' => ['waiting', 'done'],
        waiting   => ['in work'],
        done      => ['in work'],
        declined  => ['received'],
        deleted   => ['received'],
    },
    rights          => { '* -> deleted' => 'DeleteTicket', '* -> *' => 'ModifyTicket' },
    actions         => [
        'received -> accepted' => { label => 'Accept' },
        '* -> in work'         => { label => 'Begin' },
        'in work -> waiting'   => { label => 'Wait' },
        'in work -> done'      => { label => 'Finish' },
        '* -> declined'        => { label => 'Decline' },
    ],
});
1;
