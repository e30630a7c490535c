#include "martlet_mail.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct unread {
    const uint8_t *bytes;
    size_t size;
};

static size_t read_message(char *buffer, size_t size, size_t count, void *context) {
    struct unread *unread = context;
    size_t length = size * count;
    if (length > unread->size) length = unread->size;
    memcpy(buffer, unread->bytes, length);
    unread->bytes += length;
    unread->size -= length;
    return length;
}

/* Nothing that a server says is written anywhere. */
static size_t ignore(char *buffer, size_t size, size_t count, void *context) {
    (void)buffer;
    (void)context;
    return size * count;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void initialize(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }

bool martlet_send_mail(const struct martlet_mail *mail, char *reason, size_t reason_size) {
    pthread_once(&once, initialize);
    snprintf(reason, reason_size, "out of memory");
    CURL *curl = curl_easy_init();
    if (!curl) return false;
    struct unread unread = {mail->message, mail->size};
    struct curl_slist *recipients = curl_slist_append(NULL, mail->to);
    struct curl_slist *connect_to = mail->connect_to ? curl_slist_append(NULL, mail->connect_to) : NULL;
    bool sent = false;
    if (!recipients || (mail->connect_to && !connect_to)) goto done;

    long tls = mail->security == MARTLET_MAIL_TLS ? CURLUSESSL_ALL
        : mail->security == MARTLET_MAIL_OPPORTUNISTIC ? CURLUSESSL_TRY : CURLUSESSL_NONE;
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_URL, mail->url);
    curl_easy_setopt(curl, CURLOPT_CONNECT_TO, connect_to);
    curl_easy_setopt(curl, CURLOPT_USE_SSL, tls);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, mail->verifies ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, mail->verifies ? 2L : 0L);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (mail->user) {
        curl_easy_setopt(curl, CURLOPT_USERNAME, mail->user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, mail->password);
    }
    curl_easy_setopt(curl, CURLOPT_MAIL_FROM, mail->from);
    curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, recipients);
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, read_message);
    curl_easy_setopt(curl, CURLOPT_READDATA, &unread);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 30L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);

    CURLcode code = curl_easy_perform(curl);
    sent = code == CURLE_OK;
    if (!sent) {
        /* curl's own longer message may hold addresses. */
        long status = 0;
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        if (status > 0) snprintf(reason, reason_size, "%s (the mail server's last answer was %ld)", curl_easy_strerror(code), status);
        else snprintf(reason, reason_size, "%s", curl_easy_strerror(code));
    }
done:
    curl_slist_free_all(recipients);
    curl_slist_free_all(connect_to);
    curl_easy_cleanup(curl);
    return sent;
}
