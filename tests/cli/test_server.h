// A small web server on 127.0.0.1 that misbehaves on request.
//
//   TestServer server;
//   server.add("/file.gguf", {.body = bytes, .etag = "\"v1\"", .cut_after = 1000});
//   weft({"pull", server.url("/file.gguf")});
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace weft::test {

struct Page {
  std::string body;
  int status = 200;
  std::string etag;
  std::map<std::string, std::string> headers;  // also Location for redirects
  int64_t cut_after = -1;                      // closes the connection after so many bytes, the first `cuts` times
  int cuts = 1;
  int fail_first = 0;        // so many answers 503 before the first good one
  bool ranges = true;        // honours Range and If-Range
  int delay_ms_per_64k = 0;  // slow
  bool hang = false;         // sends half of the body, then nothing
};

struct Request {
  std::string path;
  std::map<std::string, std::string> headers;  // names in lower case
};

class TestServer {
 public:
  TestServer();
  ~TestServer();
  void add(const std::string& path, Page page);
  std::string url(const std::string& path = "") const;  // http://127.0.0.1:port/path
  std::vector<Request> requests();
  int count(const std::string& path);
  struct Impl;

 private:
  Impl* impl_;
};

}  // namespace weft::test
