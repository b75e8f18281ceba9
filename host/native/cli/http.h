// One HTTP GET through libcurl, redirects followed here (so that the token can be kept from other hosts).
#pragma once

#include <map>
#include <span>

#include "download.h"

namespace weft::cli {

struct HttpResponse {
  int status = 0;
  std::string url;                             // after redirects
  std::map<std::string, std::string> headers;  // names in lower case; X-Linked-* are kept from any hop
};

struct HttpCall {
  std::string url;
  std::map<std::string, std::string> headers;  // Range, If-Range
  // Called before the first byte of a 2xx answer, and for its bytes.
  std::function<Status(const HttpResponse&)> begin;
  std::function<Status(std::span<const std::byte>)> body;
};

struct HttpFailure {
  Error error;
  bool transient = false;  // worth another attempt
  double retry_after = 0;  // seconds the server asked for
};

// Any status but 2xx and 416 is a failure.
std::expected<HttpResponse, HttpFailure> http_call(const HttpCall& call, const HttpOptions& options);

// Calls again after transient failures, waiting longer each time; `progressed` says whether bytes arrived since the
// last time it was asked.
std::expected<HttpResponse, Error> http_retry(const std::function<HttpCall()>& make,
                                              const std::function<bool()>& progressed, const HttpOptions& options);

}  // namespace weft::cli
