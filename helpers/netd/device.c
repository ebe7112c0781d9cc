#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hub.h"

/* Of linux/if_tun.h, which the C library does not bring. */
#define TUNSETIFF _IOW('T', 202, int)
#define TUNSETPERSIST _IOW('T', 203, int)
#define IFF_TUN 0x0001
#define IFF_NO_PI 0x1000

static struct source tun = {.fd = -1};
static int raw4 = -1, raw6 = -1; /* with IPPROTO_RAW a packet is sent as it is, header and all */

/* In the hub's thread: a tun device belongs to the network namespace of who opened it. */
static int make_device(void *unused)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    (void)unused;
    memcpy(request.ifr_name, DEVICE, sizeof DEVICE);
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -1;
    if (ioctl(fd, TUNSETIFF, &request) == 0 && ioctl(fd, TUNSETPERSIST, 1) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static bool set_up(void)
{
    struct ifreq request = {.ifr_flags = 0};
    memcpy(request.ifr_name, DEVICE, sizeof DEVICE);
    if (ioctl(raw4, SIOCGIFFLAGS, &request) < 0)
        return false;
    request.ifr_flags |= IFF_UP;
    return ioctl(raw4, SIOCSIFFLAGS, &request) == 0;
}

bool device_open(void (*ready)(struct source *source, uint32_t events))
{
    if (tun.fd >= 0)
        return true;
    tun.ready = ready;
    raw4 = hub_socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
    raw6 = hub_socket(AF_INET6, SOCK_RAW, IPPROTO_RAW); /* -1 without IPv6: then there is nothing to send by it */
    tun.fd = raw4 < 0 ? -1 : hub_call(make_device, NULL);
    if (tun.fd >= 0 && set_up() && source_add(&tun, EPOLLIN))
        return true;
    int error = errno;
    device_close();
    errno = error;
    return false;
}

void device_close(void)
{
    const int sockets[] = {raw4, raw6};
    if (tun.fd >= 0) {
        source_remove(&tun);
        close(tun.fd);
    }
    for (size_t i = 0; i < sizeof sockets / sizeof *sockets; i++)
        if (sockets[i] >= 0)
            close(sockets[i]);
    tun.fd = raw4 = raw6 = -1;
}

bool device_is_open(void)
{
    return tun.fd >= 0;
}

void device_write(const uint8_t *packet, size_t size)
{
    if (tun.fd >= 0 && write(tun.fd, packet, size) < 0)
        return; /* lost, as any packet may be */
}

void device_send(const struct address *to, const uint8_t *packet, size_t size)
{
    union socket_address address;
    socklen_t length = address_to_socket(to, 0, &address);
    int fd = to->family == AF_INET6 ? raw6 : raw4;
    if (fd >= 0 && sendto(fd, packet, size, MSG_DONTWAIT, &address.any, length) < 0)
        return; /* lost, as any packet may be */
}
