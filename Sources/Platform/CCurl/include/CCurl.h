// One HTTP exchange at a time through libcurl, whose options are variadic and so out of Swift's reach: bytes out of one
// buffer, bytes into another, both the caller's, every length bounded.
#ifndef C_CURL_H
#define C_CURL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// A client that keeps its connection open between exchanges. One thread at a time.
typedef struct curl_client curl_client;

/// When a server that is there is given up: seconds until a connection stands; seconds in which nothing moves; and how many
/// bytes have to move, either way, in each span of so many seconds.
struct curl_patience {
    long connect_seconds, idle_seconds, span_seconds;
    int64_t span_bytes;
};

/// How an exchange ended, apart from what the server said.
enum curl_outcome {
    /// The server answered; `status` says what.
    curl_answered,
    /// No connection came to be: the server has seen nothing of the request.
    curl_not_connected,
    /// Neither the machine's CAs nor the one given vouch for the server.
    curl_not_trusted,
    /// The connection broke, stalled, or was too slow: whether the request was carried out is not known.
    curl_broken,
    /// The answer was longer than its buffer.
    curl_too_long,
    /// The request could not be made at all.
    curl_impossible,
};

struct curl_exchange {
    // The request. `method` is one of GET, HEAD, PUT, POST, DELETE.
    const char *method;
    const char *url;
    /// "name: value", without line ends.
    const char *const *headers;
    size_t header_count;
    /// Sent for PUT and POST.
    const void *body;
    size_t body_count;
    /// Never sent twice: a connection that dies under it ends the exchange as broken.
    bool once;
    /// Whether the line to the server is known to lose packets whatever it carries; set when that turns out.
    bool is_lossy;

    // The answer. What comes with a status of 200 to 299 goes to `content`, what comes with another to `problem`.
    void *content;
    size_t content_capacity;
    char *problem;
    size_t problem_capacity;

    size_t content_count;
    /// What did not fit is left out.
    size_t problem_count;
    int status;
    /// Of the Content-Length header; -1 when there was none.
    int64_t announced;
    /// Of headers, always terminated; empty where there was none, or a longer one: ETag, with its quotes;
    /// x-amz-version-id; x-amz-object-lock-mode; x-amz-object-lock-retain-until-date.
    char etag[128];
    char version[128];
    char lock_mode[32];
    char lock_until[64];
    enum curl_outcome outcome;
    /// In libcurl's words, always terminated; names the server at most.
    char reason[256];
};

/// - `authority`: a PEM file of CAs to trust instead of the machine's, or null for those.
/// Returns null when there is no memory.
curl_client *curl_client_make(const char *authority, struct curl_patience patience);
void curl_client_free(curl_client *client);

void curl_client_perform(curl_client *client, struct curl_exchange *exchange);

#endif
