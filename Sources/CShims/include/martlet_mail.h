/* Sending mail by SMTP, with libcurl. */
#ifndef MARTLET_MAIL_H
#define MARTLET_MAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum martlet_mail_security {
    /* No TLS, also where the server offers it. */
    MARTLET_MAIL_PLAIN,
    /* TLS where the server offers it. */
    MARTLET_MAIL_OPPORTUNISTIC,
    /* TLS or nothing. */
    MARTLET_MAIL_TLS
};
typedef enum martlet_mail_security martlet_mail_security;

struct martlet_mail {
    /* smtp://HOST:PORT/NAME or smtps://…: NAME is how we call ourselves. The certificate has to be HOST's. */
    const char *url;
    /* HOST:PORT:OTHERHOST:OTHERPORT: where to connect instead; may be NULL. */
    const char *connect_to;
    /* NULL: no authentication. */
    const char *user;
    const char *password;
    /* The envelope: one sender, one recipient, without angle brackets. */
    const char *from;
    const char *to;
    /* The message, with lines that end in CR LF. */
    const uint8_t *message;
    size_t size;
    enum martlet_mail_security security;
    bool verifies;
};

/* Gives a mail to the server and waits until it has been taken, for a minute at most. When it was not, `reason` says why, without
   addresses. Thread-safe. */
bool martlet_send_mail(const struct martlet_mail *mail, char *reason, size_t reason_size);

#endif
