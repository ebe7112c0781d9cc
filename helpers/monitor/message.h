/* The attach protocol: one SOCK_SEQPACKET packet is one message, its first byte the type. docs/development/monitor.md. */
#ifndef ROOTLESS_MESSAGE_H
#define ROOTLESS_MESSAGE_H

#define PAYLOAD_SIZE 32768

enum message {
    MESSAGE_STDIN = 0,
    MESSAGE_STDIN_END = 1,
    MESSAGE_RESIZE = 2,
    MESSAGE_WILL_CLEAN = 3,
    MESSAGE_CLEANED = 4,
    MESSAGE_ONLY_END = 5,
    MESSAGE_STDOUT = 0x10,
    MESSAGE_STDERR = 0x11,
    MESSAGE_EXITED = 0x12,
};

#endif
