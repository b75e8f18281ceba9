#include "test_server.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace weft::test {

struct TestServer::Impl {
  MHD_Daemon* daemon = nullptr;
  int port = 0;
  std::mutex mutex;
  std::map<std::string, Page> pages;
  std::vector<Request> requests;
  std::atomic<bool> ending{false};
};

namespace {

struct Stream {
  std::string bytes;
  int64_t cut_after, delay_ms;
  bool hang;
  TestServer::Impl* server;
};

void nap(int64_t milliseconds) {
  const timespec time{milliseconds / 1000, milliseconds % 1000 * 1'000'000};
  nanosleep(&time, nullptr);
}

ssize_t give(void* user, uint64_t position, char* out, size_t room) {
  const auto& stream = *static_cast<Stream*>(user);
  const auto size = static_cast<int64_t>(stream.bytes.size()), at = static_cast<int64_t>(position);
  if (stream.cut_after >= 0 && at >= stream.cut_after) return MHD_CONTENT_READER_END_WITH_ERROR;
  if (stream.hang && at >= size / 2) {
    while (!stream.server->ending) nap(20);
    return MHD_CONTENT_READER_END_WITH_ERROR;
  }
  if (stream.delay_ms > 0) nap(stream.delay_ms);
  int64_t count = std::min<int64_t>({static_cast<int64_t>(room), size - at, 65536});
  if (stream.cut_after >= 0) count = std::min(count, stream.cut_after - at);
  if (stream.hang) count = std::min(count, std::max<int64_t>(1, size / 2 - at));
  std::memcpy(out, stream.bytes.data() + at, static_cast<size_t>(count));
  return count;
}

void drop(void* user) { delete static_cast<Stream*>(user); }

MHD_Result keep_header(void* user, MHD_ValueKind, const char* name, const char* value) {
  std::string key(name);
  std::transform(key.begin(), key.end(), key.begin(), [](unsigned char c) { return std::tolower(c); });
  static_cast<Request*>(user)->headers[key] = value ? value : "";
  return MHD_YES;
}

MHD_Result answer(void* user, MHD_Connection* connection, const char* url, const char*, const char*, const char*,
                  size_t*, void**) {
  auto& server = *static_cast<TestServer::Impl*>(user);
  Request request{url, {}};
  MHD_get_connection_values(connection, MHD_HEADER_KIND, keep_header, &request);
  std::unique_lock lock(server.mutex);
  server.requests.push_back(request);
  const auto found = server.pages.find(url);
  Page page = found == server.pages.end() ? Page{.body = "not here", .status = 404} : found->second;
  if (found != server.pages.end()) {
    if (found->second.fail_first > 0)
      --found->second.fail_first, page = Page{.body = "busy", .status = 503};
    else if (page.cut_after >= 0 && found->second.cuts-- <= 0)
      page.cut_after = -1;
  }
  lock.unlock();
  int status = page.status;
  std::string body = page.body, range = request.headers.contains("range") ? request.headers["range"] : "";
  const bool same = !request.headers.contains("if-range") || request.headers["if-range"] == page.etag;
  const auto total = static_cast<int64_t>(body.size());
  std::string content_range;
  if (status == 200 && page.ranges && same && range.starts_with("bytes=")) {
    const int64_t first = std::strtoll(range.c_str() + 6, nullptr, 10);
    status = first < total ? 206 : 416;
    content_range = "bytes " + (status == 416 ? "*" : std::to_string(first) + "-" + std::to_string(total - 1)) + "/" +
                    std::to_string(total);
    body = status == 206 ? body.substr(static_cast<size_t>(first)) : "";
  }
  auto* stream = new Stream{body, page.cut_after, page.delay_ms_per_64k, page.hang, &server};
  MHD_Response* response = MHD_create_response_from_callback(body.size(), 65536, give, stream, drop);
  if (!page.etag.empty()) MHD_add_response_header(response, "ETag", page.etag.c_str());
  if (!content_range.empty()) MHD_add_response_header(response, "Content-Range", content_range.c_str());
  for (const auto& [name, value] : page.headers) MHD_add_response_header(response, name.c_str(), value.c_str());
  const MHD_Result queued = MHD_queue_response(connection, static_cast<unsigned>(status), response);
  MHD_destroy_response(response);
  return queued;
}

}  // namespace

TestServer::TestServer() : impl_(new Impl) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  impl_->daemon =
      MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD, 0, nullptr, nullptr, answer,
                       impl_, MHD_OPTION_SOCK_ADDR, reinterpret_cast<sockaddr*>(&address), MHD_OPTION_END);
  if (!impl_->daemon) std::abort();
  impl_->port = MHD_get_daemon_info(impl_->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

TestServer::~TestServer() {
  impl_->ending = true;
  MHD_stop_daemon(impl_->daemon);
  delete impl_;
}

void TestServer::add(const std::string& path, Page page) {
  const std::lock_guard lock(impl_->mutex);
  impl_->pages[path] = std::move(page);
}

std::string TestServer::url(const std::string& path) const {
  return "http://127.0.0.1:" + std::to_string(impl_->port) + path;
}

std::vector<Request> TestServer::requests() {
  const std::lock_guard lock(impl_->mutex);
  return impl_->requests;
}

int TestServer::count(const std::string& path) {
  const auto all = requests();
  return static_cast<int>(std::count_if(all.begin(), all.end(), [&](const Request& r) { return r.path == path; }));
}

}  // namespace weft::test
