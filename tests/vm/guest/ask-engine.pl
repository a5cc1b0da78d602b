#!/usr/bin/perl
# Asks a container engine, as its own command would: SOCKET METHOD PATH [FILE with the body].
# Prints what it answers; fails if that is no success.
use strict;
use warnings;
use IO::Socket::UNIX;

my ($socket, $method, $path, $file) = @ARGV;
my $body = '';
if ($file) {
    open my $in, '<:raw', $file or die "$file: $!\n";
    local $/;
    $body = <$in>;
}
my $type = ($file // '') =~ /\.tar$/ ? 'application/x-tar' : 'application/json';
my $engine = IO::Socket::UNIX->new(Peer => $socket) or die "$socket: $!\n";
print $engine "$method $path HTTP/1.0\r\nHost: localhost\r\nContent-Type: $type\r\n",
    'Content-Length: ', length $body, "\r\n\r\n", $body;
$engine->flush;
local $/;
my $said = <$engine> // '';
print $said;
exit($said =~ m{^HTTP/1\.\d (?:2|304)} ? 0 : 1);
