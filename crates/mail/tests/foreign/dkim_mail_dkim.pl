# Judges DKIM signatures with Perl's Mail::DKIM, which knows RSA only.
#
# Usage: perl dkim_mail_dkim.pl DIRECTORY
# DIRECTORY holds messages (*.eml) and keys.txt, one `name<TAB>TXT record` a line; no DNS is asked.
# Prints one line per signature: file<TAB>index<TAB>pass, fail, or unsupported.
use strict;
use warnings;
use Mail::DKIM::Verifier;
use Mail::DKIM::DNS;
use Net::DNS;

my $directory = $ARGV[0];
my %keys;
open my $table, '<', "$directory/keys.txt" or die "keys.txt: $!";
while (<$table>) {
    chomp;
    my ($name, $record) = split /\t/, $_, 2;
    $keys{lc $name} = $record;
}
close $table;

package LocalTable {
    sub send {
        my ($self, $name, $type) = @_;
        my $reply = Net::DNS::Packet->new($name, $type);
        my $record = $keys{lc($name =~ s/\.$//r)};
        $reply->push(answer => Net::DNS::RR->new(owner => $name, type => 'TXT', txtdata => [unpack '(A255)*', $record]))
            if defined $record;
        return $reply;
    }
}

Mail::DKIM::DNS::resolver(bless {}, 'LocalTable');

for my $path (sort glob "$directory/*.eml") {
    my ($file) = $path =~ m{([^/]+)$};
    open my $message, '<:raw', $path or die "$file: $!";
    my $verifier = Mail::DKIM::Verifier->new;
    local $/;
    $verifier->PRINT(scalar <$message>);
    $verifier->CLOSE;
    close $message;
    my $index = 0;
    for my $signature ($verifier->signatures) {
        my $result = $signature->algorithm eq 'rsa-sha256'
            ? ($signature->result eq 'pass' ? 'pass' : 'fail')
            : 'unsupported';
        print join("\t", $file, $index++, $result), "\n";
    }
}
