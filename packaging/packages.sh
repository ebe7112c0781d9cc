# Sourced by setup.sh. Debian's and Ubuntu's names of what each verb uses.

host_packages="uidmap slirp4netns fuse-overlayfs python3-venv libseccomp2 ca-certificates" # with a wheel these are all
run_packages="$host_packages gcc libc6-dev mmdebstrap"
# With musl a waiting monitor has a third of the memory that it has with glibc; image files are mounted and made by squashfuse
# and mksquashfs.
better_packages="musl-tools squashfuse squashfs-tools"
peer_packages="podman runc bubblewrap docker-registry busybox-static"
test_packages="$peer_packages catatonit buildah crun containerd containernetworking-plugins iptables rootlesskit skopeo umoci nginx tmux strace apache2-utils zstd xz-utils
    debootstrap acl attr cron curl groff-base iproute2 passt procps openssl socat util-linux
    munge slurm-wlm slurm-wlm-basic-plugins
    openssh-server qemu-system-x86 qemu-utils e2fsprogs openssh-client" # tests/vm: from qemu on
browser_packages="chromium chromium-driver" # tests/console/browser; of Debian: Ubuntu has them as snaps alone
full_packages="gcc-aarch64-linux-gnu libc6-dev-arm64-cross rpm lmod
    libmpich12 libopenmpi3 libpmix-dev" # tests marked `full`, where ROOTLESS_TEST_MARKS leaves them in; libpmix-dev has the name that
# Slurm's PMIx plugin opens, libpmix.so
bench_packages="$peer_packages charliecloud-runtime netavark aardvark-dns passt nginx wrk iproute2 util-linux"
fedora_packages="shadow-utils-subid slirp4netns fuse-overlayfs gcc glibc-static mmdebstrap python3 libseccomp"

is_debian() { [ "$(. /etc/os-release && echo "$ID")" = debian ]; }
full_wanted() { [ "${ROOTLESS_TEST_MARKS-not full}" = "" ]; }

wanted_packages() { # VERB
    case $1 in
    test) echo $run_packages $better_packages $test_packages $(is_debian && echo $browser_packages) $(full_wanted && echo $full_packages) ;;
    bench) echo $run_packages $better_packages $bench_packages ;;
    required) echo $run_packages ;;
    *) echo $run_packages $better_packages ;;
    esac
}

# Those of `wanted_packages VERB` that are not installed. Elsewhere than on Debian: the programs.
missing_packages() { # VERB
    if command -v dpkg-query >/dev/null; then
        for package in $(wanted_packages "$1"); do
            case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
            installed) ;;
            *) printf '%s ' "$package" ;;
            esac
        done
        return
    fi
    for program in newuidmap slirp4netns fuse-overlayfs gcc; do
        command -v $program >/dev/null || printf '%s ' $program
    done
}
