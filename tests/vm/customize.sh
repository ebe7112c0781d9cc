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
touch "$root/etc/.updated" "$root/var/.updated" # no ldconfig and no catalogues at the first boot
chroot "$root" systemctl -q mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
    e2scrub_all.timer e2scrub_reap.service fstrim.timer man-db.timer systemd-networkd-wait-online.service \
    getty@tty1.service serial-getty@ttyS0.service
