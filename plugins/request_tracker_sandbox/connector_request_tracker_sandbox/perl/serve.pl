# Serves Request Tracker on the socket that was inherited, and writes a line for each call of its REST interface.
use strict;
use warnings;
use Plack::Handler::Starlet ();
use Plack::Util ();

my $server = $ENV{CONNECTOR_RT_SERVER};
my $application = do $server or die "$server: " . ($@ || $!);
open my $log, '>>', "$ENV{CONNECTOR_RT_FOLDER}/calls" or die "calls: $!";
$log->autoflush(1);

my $counted = sub {
    my ($env) = @_;
    my $who = $env->{HTTP_X_SANDBOX_PERSON} ? 'person' : 'client';
    my ($method, $path) = @{$env}{qw(REQUEST_METHOD REQUEST_URI)};
    return Plack::Util::response_cb($application->($env), sub {
        my ($response) = @_;
        # One write a line: workers share the file.
        syswrite $log, "$who $method $response->[0] $path\n" if $path =~ m{^/REST/2\.0/};
        return;
    });
};
$SIG{PIPE} = 'IGNORE';    # a client that goes away
Plack::Handler::Starlet->new(max_workers => 4, max_reqs_per_child => 100_000)->run($counted);
