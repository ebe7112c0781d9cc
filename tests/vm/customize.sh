# Runs in the user namespace of mmdebstrap when the packages are in; $1 is the new machine's root.
# PUBLIC_KEY and SUITE are set before it. What changes here changes the image's digest.
set -eu
root=$1

for user in alice bob carol; do
    chroot "$root" useradd -m -s /bin/bash "$user"
    echo "$user:$user" | chroot "$root" chpasswd
    # At the host's speed here, and twenty times slower in the machine.
    chroot "$root" setpriv --reuid "$user" --regid "$user" --init-groups \
        env HOME="/home/$user" python3 -m venv "/home/$user/venv"
done
sed -i /^carol:/d "$root/etc/subuid" "$root/etc/subgid" # a user as most servers' are
for home in /root /home/alice /home/bob /home/carol; do
    install -d -m 700 "$root$home/.ssh"
    echo "$PUBLIC_KEY" >"$root$home/.ssh/authorized_keys"
    chroot "$root" chown -R --reference="$home" "$home/.ssh"
done

echo '/dev/vda / ext4 defaults 0 1' >"$root/etc/fstab"
echo "vm-$SUITE" >"$root/etc/hostname"
printf '127.0.0.1 localhost\n::1 localhost\n127.0.1.1 vm-%s\n' "$SUITE" >"$root/etc/hosts"
printf '[Match]\nName=en* eth*\n[Network]\nDHCP=yes\n' >"$root/etc/systemd/network/20-wired.network"
# What an administrator does for limits: docs say the same file.
mkdir -p "$root/etc/systemd/system/user@.service.d"
printf '[Service]\nDelegate=cpu cpuset io memory pids\n' \
    >"$root/etc/systemd/system/user@.service.d/delegate.conf"
# A name server that answers nobody costs sshd ten seconds.
printf 'UseDNS no\nMaxSessions 100\nMaxStartups 100\n' >"$root/etc/ssh/sshd_config.d/vm.conf"
mkdir -p "$root/var/log/journal" # so that a test can read what was said before a power cut
chroot "$root" systemctl -q enable systemd-networkd ssh
# Drivers that udev finds reason to load and nothing here uses.
for module in ata_piix ata_generic aesni_intel ghash_clmulni_intel sha512_ssse3 sha256_ssse3 sha1_ssse3 \
    crc32_pclmul crct10dif_pclmul powernow_k8 serio_raw evdev button efi_pstore qemu_fw_cfg; do
    echo "blacklist $module"
done >"$root/etc/modprobe.d/vm.conf"
# Tests load their own profile; compiling Debian's takes minutes at this machine's speed.
chroot "$root" systemctl -q mask apparmor.service
# A label for tests/vm/test_selinux.py, whose policy takes a minute to compile there. The files of this machine
# have no labels, and all but that label may do what it likes.
cat >"$root/srv/rl-test.cil" <<'END'
(type rl_test_t)
(roletype system_r rl_test_t)
(typeattributeset domain (rl_test_t))
(typepermissive kernel_t)
(allow rl_test_t unlabeled_t (file (entrypoint execute execute_no_trans map read open getattr)))
(allow rl_test_t unlabeled_t (lnk_file (read getattr)))
(allow rl_test_t unlabeled_t (dir (search getattr read open)))
(allow rl_test_t kernel_t (fd (use)))
(allow rl_test_t kernel_t (fifo_file (read write getattr append ioctl)))
(allow rl_test_t kernel_t (unix_stream_socket (read write getattr)))
(allow rl_test_t kernel_t (process (sigchld)))
(allow rl_test_t rl_test_t (process (fork sigchld)))
(allow rl_test_t rl_test_t (file (read open getattr)))
(allow rl_test_t rl_test_t (dir (search)))
(allow rl_test_t rl_test_t (lnk_file (read)))
(allow rl_test_t proc_t (dir (search)))
(allow rl_test_t proc_t (lnk_file (read)))
(allow rl_test_t device_t (dir (search)))
(allow rl_test_t null_device_t (chr_file (read write open getattr)))
END
chroot "$root" semodule -n -i /srv/rl-test.cil
# A boot without SELinux asks for labels on all files at the next one with it, which takes long and reboots.
chroot "$root" systemctl -q mask selinux-autorelabel-mark.service selinux-autorelabel.service
rm -f "$root/.autorelabel"
touch "$root/etc/.updated" "$root/var/.updated" # no ldconfig and no catalogues at the first boot
chroot "$root" systemctl -q mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
    e2scrub_all.timer e2scrub_reap.service fstrim.timer man-db.timer systemd-networkd-wait-online.service \
    getty@tty1.service serial-getty@ttyS0.service
