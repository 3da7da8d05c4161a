/* Addresses of servers, as the command lines of these programs have them. */
#include "common.h"
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

/* The address of a Unix socket, if the text is a path, or of a port of
 * 127.0.0.1. */
static inline struct sockaddr_storage address_of(const char *text, socklen_t *length)
{
    struct sockaddr_storage address = {0};
    if (text[0] == '/') {
        struct sockaddr_un *local = (struct sockaddr_un *)&address;
        local->sun_family = AF_UNIX;
        strncpy(local->sun_path, text, sizeof local->sun_path - 1);
        *length = sizeof *local;
    } else {
        struct sockaddr_in *internet = (struct sockaddr_in *)&address;
        internet->sin_family = AF_INET;
        internet->sin_port = htons(atoi(text));
        internet->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        *length = sizeof *internet;
    }
    return address;
}
