# Does, as the administrator, what standard input says as JSON: {"scrip": {...}} or {"right": {...}}.
use strict;
use warnings;
use lib $ENV{CONNECTOR_RT_LIBRARIES};
use JSON ();
use RT;
RT::LoadConfig();
RT::Init();

my $asked = JSON->new->utf8->decode(do { local $/; <STDIN> });
my ($ok, $message);
if (my $scrip = $asked->{scrip}) {
    ($ok, $message) = RT::Scrip->new(RT->SystemUser)->Create(
        Queue             => $scrip->{queue},
        Description       => $scrip->{name},
        ScripCondition    => 'On Transaction',
        ScripAction       => 'User Defined',
        Template          => 'Blank',
        Stage             => 'TransactionBatch',
        CustomPrepareCode => 'return 1;',
        CustomCommitCode  => $scrip->{text},
    );
}
elsif (my $right = $asked->{right}) {
    my $user = RT::User->new(RT->SystemUser);
    $user->Load($right->{user});
    my $queue = RT::Queue->new(RT->SystemUser);
    $queue->Load($right->{queue});
    my $how = $right->{granted} ? 'GrantRight' : 'RevokeRight';
    ($ok, $message) = $user->PrincipalObj->$how(Right => $right->{name}, Object => $queue);
}
die(($message // 'nothing was asked') . "\n") unless $ok;
