#include "http.h"

#include <curl/curl.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "command.h"

namespace weft::cli {
namespace {

constexpr int kMaxRedirects = 10;

struct Curl {
  CURL* handle = curl_easy_init();
  curl_slist* headers = nullptr;
  ~Curl() {
    curl_slist_free_all(headers);
    curl_easy_cleanup(handle);
  }
};

// One hop of a call.
struct Hop {
  const HttpCall& call;
  const HttpOptions& options;
  HttpResponse& response;
  CURL* handle;
  bool begun = false;
  Status status;       // why a callback stopped the transfer
  std::string excuse;  // what an error answer says, the beginning
};

bool success(int status) { return status >= 200 && status < 300; }

size_t on_header(char* data, size_t, size_t bytes, void* user) {
  auto& hop = *static_cast<Hop*>(user);
  std::string_view line(data, bytes);
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {
    std::erase_if(hop.response.headers, [](const auto& header) { return !header.first.starts_with("x-linked-"); });
  }
  if (const size_t colon = line.find(':'); colon != std::string_view::npos) {
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    line.remove_prefix(colon + 1);
    while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
    hop.response.headers[name] = line;
  }
  return bytes;
}

size_t on_body(char* data, size_t, size_t bytes, void* user) {
  auto& hop = *static_cast<Hop*>(user);
  long status = 0;
  curl_easy_getinfo(hop.handle, CURLINFO_RESPONSE_CODE, &status);
  if (!success(static_cast<int>(status))) {
    if (hop.excuse.size() < 300) hop.excuse.append(data, std::min<size_t>(bytes, 300));
    return bytes;
  }
  if (!hop.begun) {
    hop.begun = true;
    hop.response.status = static_cast<int>(status);
    if (hop.call.begin) hop.status = hop.call.begin(hop.response);
  }
  if (hop.status) hop.status = hop.call.body(std::as_bytes(std::span(data, bytes)));
  return hop.status ? bytes : 0;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto& hop = *static_cast<Hop*>(user);
  return hop.options.cancel && hop.options.cancel->cancelled() ? 1 : 0;
}

Error describe_status(int status, const std::string& url, const HttpOptions& options, const HttpResponse& response) {
  const std::string found = "HTTP " + std::to_string(status);
  std::string said;
  if (const auto it = response.headers.find("x-error-message"); it != response.headers.end()) said = ": " + it->second;
  if (status == 404 || status == 410) {
    return {Code::not_found, url, "download", "a file", found + said, "check the spelling of the repository and file"};
  }
  if (status == 401 || status == 403) {
    return {Code::io,
            url,
            "access",
            "permission",
            found + said,
            options.token.empty() ? "the repository is gated, private or does not exist: accept its licence on the web "
                                    "page and set HF_TOKEN"
                                  : "HF_TOKEN is not accepted for this repository: accept its licence on the web page"};
  }
  return {Code::io,   url,          "download",
          "the file", found + said, status >= 500 ? "the server has a problem; try again later" : ""};
}

HttpFailure describe_curl(CURLcode code, const std::string& url, const char* detail) {
  const std::string found = *detail ? detail : curl_easy_strerror(code);
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
      return {{Code::io, url, "connection", "an answer", found, "is this machine connected to the network?"}, false};
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return {{Code::io, url, "connection", "", found}, false};
    case CURLE_OPERATION_TIMEDOUT:
      return {{Code::io, url, "connection", "data", "none for a while (" + found + ")"}, true};
    default:
      return {{Code::io, url, "connection", "the whole file", found}, true};
  }
}

// The number of a Retry-After header, seconds; 0 where there is none.
double retry_after(const HttpResponse& response) {
  const auto it = response.headers.find("retry-after");
  const double wait = it == response.headers.end() ? 0 : std::strtod(it->second.c_str(), nullptr);
  return std::isfinite(wait) ? std::clamp(wait, 0.0, 60.0) : 0;
}

}  // namespace

std::string origin_of(const std::string& url) {
  std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), curl_url_cleanup);
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return {};
  const auto part = [&](CURLUPart which, unsigned flags) {
    char* text = nullptr;
    std::string out;
    if (curl_url_get(parsed.get(), which, &text, flags) == CURLUE_OK) out = text;
    curl_free(text);
    std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
    return out;
  };
  const std::string scheme = part(CURLUPART_SCHEME, 0), port = part(CURLUPART_PORT, CURLU_NO_DEFAULT_PORT);
  if (scheme != "http" && scheme != "https") return {};
  return scheme + "://" + part(CURLUPART_HOST, 0) + (port.empty() ? "" : ":" + port);
}

std::expected<HttpResponse, HttpFailure> http_call(const HttpCall& call, const HttpOptions& options) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)ready;
  HttpResponse response;
  response.url = call.url;
  for (int hop_count = 0;; ++hop_count) {
    Curl curl;
    char detail[CURL_ERROR_SIZE] = "";
    Hop hop{call, options, response, curl.handle, false, {}, {}};
    for (const auto& [name, value] : call.headers) {
      curl.headers = curl_slist_append(curl.headers, (name + ": " + value).c_str());
    }
    if (!options.token.empty() && origin_of(response.url) == options.token_host) {
      curl.headers = curl_slist_append(curl.headers, ("Authorization: Bearer " + options.token).c_str());
    }
    curl_easy_setopt(curl.handle, CURLOPT_URL, response.url.c_str());
    curl_easy_setopt(curl.handle, CURLOPT_HTTPHEADER, curl.headers);
    curl_easy_setopt(curl.handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl.handle, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl.handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl.handle, CURLOPT_USERAGENT, ("weft/" + std::string(version())).c_str());
    curl_easy_setopt(curl.handle, CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(curl.handle, CURLOPT_CONNECTTIMEOUT, 20L);
    curl_easy_setopt(curl.handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl.handle, CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.stall));
    curl_easy_setopt(curl.handle, CURLOPT_BUFFERSIZE, 512L << 10);
    curl_easy_setopt(curl.handle, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl.handle, CURLOPT_HEADERDATA, &hop);
    curl_easy_setopt(curl.handle, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl.handle, CURLOPT_WRITEDATA, &hop);
    curl_easy_setopt(curl.handle, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl.handle, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl.handle, CURLOPT_XFERINFODATA, &hop);
    const CURLcode code = curl_easy_perform(curl.handle);
    if (!hop.status) return std::unexpected(HttpFailure{hop.status.error(), false});
    if (code == CURLE_ABORTED_BY_CALLBACK) {
      return std::unexpected(HttpFailure{{Code::cancelled, call.url, "stopped by Ctrl-C"}, false});
    }
    if (code != CURLE_OK) return std::unexpected(describe_curl(code, response.url, detail));
    long status = 0;
    curl_easy_getinfo(curl.handle, CURLINFO_RESPONSE_CODE, &status);
    response.status = static_cast<int>(status);
    if (status >= 300 && status < 400 && response.headers.contains("location")) {
      char* target = nullptr;
      curl_easy_getinfo(curl.handle, CURLINFO_REDIRECT_URL, &target);
      const std::string next = target ? target : "";
      const bool downgrade = response.url.starts_with("https:") && !next.starts_with("https:");
      if (hop_count >= kMaxRedirects || origin_of(next).empty() || downgrade) {
        return std::unexpected(HttpFailure{
            {Code::io, call.url, "redirect", "at most 10 to http or https, never from https to http", next}});
      }
      response.url = next;
      continue;
    }
    if (success(response.status) && !hop.begun && call.begin) {  // an empty body
      if (const Status begun = call.begin(response); !begun) return std::unexpected(HttpFailure{begun.error()});
    }
    if (success(response.status) || status == 416) return response;
    const bool transient = status >= 500 || status == 429 || status == 408;
    return std::unexpected(
        HttpFailure{describe_status(response.status, call.url, options, response), transient, retry_after(response)});
  }
}

std::expected<HttpResponse, Error> http_retry(const std::function<HttpCall()>& make,
                                              const std::function<bool()>& progressed, const HttpOptions& options) {
  double wait = options.retry_wait;
  for (int attempt = 0;;) {
    auto response = http_call(make(), options);
    if (response) return *std::move(response);
    HttpFailure& failure = response.error();
    if (progressed()) attempt = 0, wait = options.retry_wait;
    if (!failure.transient || attempt++ >= options.retries) return std::unexpected(std::move(failure.error));
    const double pause = std::max(wait, failure.retry_after);
    if (options.log) {
      options.log("retry " + std::to_string(attempt) + " of " + std::to_string(options.retries) + " in " +
                  human_seconds(pause) + ": " + failure.error.found);
    }
    for (const double end = seconds_now() + pause; seconds_now() < end;) {
      if (options.cancel && options.cancel->cancelled())
        return fail(Code::cancelled, failure.error.where, "stopped by Ctrl-C");
      const timespec nap{0, 20'000'000};
      nanosleep(&nap, nullptr);
    }
    wait = std::min(30.0, wait * 2);
  }
}

Result<std::string> http_get(const std::string& url, const HttpOptions& options) {
  std::string text;
  const auto response = http_retry(
      [&] {
        text.clear();
        return HttpCall{url, {}, {}, [&](std::span<const std::byte> bytes) -> Status {
                          if (text.size() + bytes.size() > (size_t{64} << 20)) {
                            return fail(Code::limit, url, "answer", "at most 64 MB", "more");
                          }
                          text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
                          return {};
                        }};
      },
      [] { return false; }, options);
  if (!response) return fail(response.error());
  return text;
}

}  // namespace weft::cli
