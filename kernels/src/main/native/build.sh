#!/bin/sh
# Compiles the library of this folder with the system's compiler: build.sh OUTPUT
# Without one it says so and succeeds: then workers of one machine talk by TCP.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
output=$1
if [ "$(uname -s)" != Linux ]; then
    echo "No shared memory for workers: it needs Linux, and this is $(uname -s)."
    exit 0
fi
if ! command -v cc >/dev/null || ! echo '#include <stdio.h>' | cc -E - >/dev/null 2>&1; then
    echo "No shared memory for workers: there is no C compiler (cc) with its headers. On Debian and Ubuntu: apt-get install gcc libc6-dev"
    exit 0
fi
if [ -f "$output" ] && [ -z "$(find "$here" -newer "$output")" ]; then
    exit 0
fi
mkdir -p "$(dirname "$output")"
cc -std=c11 -O3 -shared -fPIC -fvisibility=hidden \
    -Wall -Wextra -Wconversion -Wshadow -Werror \
    -fstack-protector-strong -D_FORTIFY_SOURCE=2 -ffile-prefix-map="$here"=. \
    -Wl,-z,relro,-z,now,-z,noexecstack,-z,defs \
    -o "$output.part" "$here"/*.c
mv "$output.part" "$output"
