require LWP::UserAgent; require JSON; require Digest::SHA;
my $changes = $self->TicketObj->TransactionBatch || [];
my @told = map { {
    transaction => $_->Id . '', type => $_->Type, field => $_->Field || '',
    by => $_->CreatorObj->RealName || $_->CreatorObj->Name || '',
} } ( @$changes ? @$changes : $self->TransactionObj );
my $body = JSON->new->utf8->canonical->encode({
    ticket => $self->TicketObj->Id . '', time => time, changes => \@told,
    merged => [ map { "$_" } $self->TicketObj->Merged ],
});
my $answer = LWP::UserAgent->new( timeout => 5 )->post( {{ url | quoted }},
    'Content-Type' => 'application/json', Content => $body,
    'X-Hub-Signature' => 'sha256=' . Digest::SHA::hmac_sha256_hex( $body, {{ secret | quoted }} ),
);
RT->Logger->warning( 'connector: ' . $answer->status_line ) unless $answer->is_success;
return 1;
