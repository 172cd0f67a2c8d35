# Puts people, queues and rights into a new database, and prints the tokens as JSON: {"connector": ..., "agent": ...}.
use strict;
use warnings;
use lib $ENV{CONNECTOR_RT_LIBRARIES};
use JSON ();
use RT;
RT::LoadConfig();
RT::Init();

my $system = RT->SystemUser;
my @of_the_connector = qw(
    SeeQueue CreateTicket ShowTicket ShowTicketComments ModifyTicket CommentOnTicket ReplyToTicket OwnTicket
    SeeCustomField
);

sub done {
    my ($what, $ok, $message) = @_;
    die "$what: $message\n" unless $ok;
    return $ok;
}

sub user {
    my ($name) = @_;
    my $user = RT::User->new($system);
    done($name, $user->Create(
        Name => $name, RealName => ucfirst $name, EmailAddress => "$name\@desk.example",
        Privileged => 1, Password => "$name-of-the-desk",
    ));
    done($name, $user->PrincipalObj->GrantRight(Right => 'ManageAuthTokens', Object => RT->System));
    return $user;
}

sub queue {
    my ($name, $lifecycle) = @_;
    my $queue = RT::Queue->new($system);
    done($name, $queue->Create(Name => $name, Lifecycle => $lifecycle));
    return $queue;
}

sub grant {
    my ($user, $queue, @rights) = @_;
    for my $right (@rights) {
        done($right, $user->PrincipalObj->GrantRight(Right => $right, Object => $queue));
    }
}

my %users = map { $_ => user($_) } qw(connector agent);
my ($open, $stages, $hidden) =
    (queue('AV Support', 'default'), queue('Projects', 'stages'), queue('Back Office', 'default'));
grant($users{connector}, $_, @of_the_connector) for $open, $stages;
grant($users{agent}, $_, @of_the_connector, 'DeleteTicket') for $open, $stages, $hidden;

my %tokens;
for my $name (keys %users) {
    my $token = RT::AuthToken->new(RT::CurrentUser->new($users{$name}->id));
    my ($ok, $message, $text) = $token->Create(Owner => $users{$name}->id, Description => 'Sandbox');
    done("token of $name", $ok, $message);
    $tokens{$name} = $text;
}
print JSON->new->utf8->canonical->encode(\%tokens);
