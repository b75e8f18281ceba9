// Downloads one file over HTTP(S): resumed where a part is there, checked by size and SHA-256, renamed when whole.
//
//   DownloadRequest request{.url = "https://…/model.gguf", .path = "/cache/model.gguf", .sha256 = "9f86d0…"};
//   WEFT_TRY(Downloaded done, download(request, options));
#pragma once

#include <functional>
#include <string>

#include "base/host.h"

namespace weft::cli {

struct HttpOptions {
  std::string token;       // sent only to `token_host`, never to where a redirect leads
  std::string token_host;  // "https://huggingface.co": scheme, name and port must agree
  int retries = 5;         // after the first attempt without progress; progress starts the count again
  double retry_wait = 1;   // seconds before the first retry; doubles each time, up to 30
  int64_t stall = 60;      // seconds without a byte until a connection is given up
  const CancelFlag* cancel = nullptr;
  std::function<void(int64_t done, int64_t total)> progress;
  std::function<void(const std::string& line)> log;  // retries, waiting for another process
};

struct DownloadRequest {
  std::string url, path;
  std::string sha256;    // 64 hex digits; empty: taken from the server where it states one (X-Linked-Etag)
  int64_t size = -1;     // -1: taken from the server
  bool replace = false;  // download even if a file is there; otherwise one of that size and SHA-256 is kept
};

struct Downloaded {
  int64_t bytes = 0;     // of the whole file
  int64_t received = 0;  // now, without what was there
  std::string sha256;    // of the whole file
  bool checked = false;  // the server or the caller stated the SHA-256, and it agreed
  bool present = false;  // the file was there already: nothing was downloaded
};

// Only one process at a time downloads to `path`; others wait and then find the file. Errors: not_found (404), io
// (401/403 with what to do, network, disk), bad_file (size or SHA-256 differ: the part is removed), cancelled (the part
// stays and is resumed by the next call).
Result<Downloaded> download(const DownloadRequest& request, const HttpOptions& options);

// A small document (a listing) as text, at most 64 MB.
Result<std::string> http_get(const std::string& url, const HttpOptions& options);

// "scheme://host:port" in lower case, default ports left out; empty if `url` is not http or https.
std::string origin_of(const std::string& url);

}  // namespace weft::cli
