#include "download.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <memory>
#include <vector>

#include "disk.h"
#include "http.h"
#include "terminal.h"

namespace weft::cli {
namespace {

class Sha256 {
 public:
  Sha256() { reset(); }
  void reset() { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }
  void update(std::span<const std::byte> bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }
  std::string hex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), digest, &size);
    std::string text;
    for (unsigned i = 0; i < size; ++i) text += format("%02x", digest[i]);
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_{EVP_MD_CTX_new(), EVP_MD_CTX_free};
};

Result<std::string> sha256_of(const std::string& path, int64_t size, const HttpOptions& options) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) return fail(system_error(path, "cannot be read", errno));
  Sha256 hash;
  std::vector<std::byte> buffer(size_t{1} << 20);
  int64_t done = 0;
  for (size_t n; (n = std::fread(buffer.data(), 1, buffer.size(), file.get())) > 0;) {
    if (options.cancel && options.cancel->cancelled()) return fail(Code::cancelled, path, "stopped by Ctrl-C");
    hash.update(std::span(buffer).first(n));
    if (options.progress) options.progress(done += static_cast<int64_t>(n), size);
  }
  if (std::ferror(file.get())) return fail(system_error(path, "read", errno));
  return hash.hex();
}

// Held while downloading. The lock is on the open file, so that it ends with the process; the file is removed by the
// owner before the lock is given up, and whoever waited notices by its inode and opens a new one.
class Lock {
 public:
  ~Lock() {
    if (fd_ >= 0) unlink(path_.c_str()), close(fd_);
  }
  Status take(const std::string& path, const HttpOptions& options) {
    path_ = path;
    for (bool told = false;;) {
      const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
      if (fd < 0) return fail(system_error(path, "cannot be written", errno));
      if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        struct stat mine{}, there{};
        if (fstat(fd, &mine) == 0 && stat(path.c_str(), &there) == 0 && mine.st_ino == there.st_ino) {
          fd_ = fd;
          return {};
        }
        close(fd);
        continue;
      }
      close(fd);
      if (!told && options.log) options.log("another process is downloading this file; waiting for it");
      told = true;
      if (options.cancel && options.cancel->cancelled()) return fail(Code::cancelled, path, "stopped by Ctrl-C");
      const timespec nap{0, 50'000'000};
      nanosleep(&nap, nullptr);
    }
  }

 private:
  std::string path_;
  int fd_ = -1;
};

// The part of a file that is there, its hash so far, and which version of the file it belongs to.
class Part {
 public:
  explicit Part(const std::string& path) : path_(path + ".part"), tag_path_(path + ".part.etag") {}
  ~Part() {
    if (fd_ >= 0) close(fd_);
  }
  Status open_and_hash(const HttpOptions& options) {
    fd_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd_ < 0) return fail(system_error(path_, "cannot be written", errno));
    std::vector<std::byte> buffer(size_t{1} << 20);
    for (ssize_t n; (n = read(fd_, buffer.data(), buffer.size())) != 0;) {
      if (n < 0) return fail(system_error(path_, "read", errno));
      if (options.cancel && options.cancel->cancelled()) return fail(Code::cancelled, path_, "stopped by Ctrl-C");
      hash_.update(std::span(buffer).first(static_cast<size_t>(n)));
      size_ += n;
    }
    if (std::FILE* file = std::fopen(tag_path_.c_str(), "r")) {
      char text[512];
      if (std::fgets(text, sizeof text, file)) etag_ = text;
      std::fclose(file);
    }
    return {};
  }
  Status restart(const std::string& etag) {
    if (ftruncate(fd_, 0) != 0 || lseek(fd_, 0, SEEK_SET) != 0) return fail(system_error(path_, "write", errno));
    hash_.reset();
    size_ = 0;
    etag_ = etag;
    unlink(tag_path_.c_str());
    if (std::FILE* file = etag.empty() || etag.size() > 500 ? nullptr : std::fopen(tag_path_.c_str(), "w")) {
      std::fputs(etag.c_str(), file);
      std::fclose(file);
    }
    return {};
  }
  Status append(std::span<const std::byte> bytes) {
    hash_.update(bytes);
    while (!bytes.empty()) {
      const ssize_t n = write(fd_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) {
        const int error_number = n < 0 ? errno : ENOSPC;
        remove();  // what filled the disk must not stay on it
        return fail(system_error(path_, "write", error_number));
      }
      bytes = bytes.subspan(static_cast<size_t>(n));
      size_ += n;
    }
    return {};
  }
  void remove() { unlink(path_.c_str()), unlink(tag_path_.c_str()); }
  Status finish(const std::string& path) {
    if (fsync(fd_) != 0 && errno != EINVAL) return fail(system_error(path_, "write", errno));
    if (std::rename(path_.c_str(), path.c_str()) != 0) return fail(system_error(path, "rename", errno));
    unlink(tag_path_.c_str());
    return {};
  }
  int64_t size() const { return size_; }
  const std::string& etag() const { return etag_; }
  std::string sha256() { return hash_.hex(); }

 private:
  std::string path_, tag_path_, etag_;
  int fd_ = -1;
  int64_t size_ = 0;
  Sha256 hash_;
};

std::string header(const HttpResponse& response, const std::string& name) {
  const auto it = response.headers.find(name);
  return it == response.headers.end() ? std::string() : it->second;
}

int64_t whole_number(std::string_view text) {
  int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && value >= 0 ? value : -1;
}

// "bytes 100-199/200" or "bytes */200".
struct ContentRange {
  int64_t first = -1, total = -1;
};
ContentRange content_range(std::string_view text) {
  ContentRange range;
  if (!text.starts_with("bytes ")) return range;
  text.remove_prefix(6);
  const size_t dash = text.find('-'), slash = text.find('/');
  if (slash != std::string_view::npos) range.total = whole_number(text.substr(slash + 1));
  if (dash != std::string_view::npos && dash < slash) range.first = whole_number(text.substr(0, dash));
  return range;
}

std::string unquoted(std::string text) {
  if (text.starts_with("W/")) text.erase(0, 2);
  std::erase(text, '"');
  return text;
}

bool is_sha256(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

struct Transfer {
  const DownloadRequest& request;
  const HttpOptions& options;
  Part& part;
  int64_t size, received = 0, seen = 0;
  std::string sha256;

  HttpCall call() {
    HttpCall call{request.url,
                  {},
                  [this](const HttpResponse& r) { return begin(r); },
                  [this](std::span<const std::byte> bytes) { return body(bytes); }};
    // A weak tag cannot promise equal bytes; then only a known SHA-256 makes it safe to go on.
    const bool strong = !part.etag().empty() && !part.etag().starts_with("W/");
    if (part.size() > 0 && (strong || !sha256.empty())) {
      call.headers["Range"] = "bytes=" + std::to_string(part.size()) + "-";
      if (strong) call.headers["If-Range"] = part.etag();
    }
    return call;
  }

  Status begin(const HttpResponse& response) {
    if (sha256.empty() && is_sha256(unquoted(header(response, "x-linked-etag")))) {
      sha256 = unquoted(header(response, "x-linked-etag"));
    }
    if (size < 0) size = whole_number(header(response, "x-linked-size"));
    int64_t total = whole_number(header(response, "content-length"));
    const ContentRange range = content_range(header(response, "content-range"));
    if (response.status == 206 && range.first == part.size()) {
      total = range.total;
    } else if (response.status == 206) {
      part.remove();
      return fail(Code::io, request.url, "range", std::to_string(part.size()), header(response, "content-range"));
    } else {
      WEFT_CHECK_OK(part.restart(header(response, "etag")));
    }
    if (size >= 0 && total >= 0 && size != total) {
      part.remove();
      return fail(Code::bad_file, request.url, "size", std::to_string(size) + " bytes",
                  std::to_string(total) + " bytes",
                  "the file changed on the server or is not the one that was asked for");
    }
    if (size < 0) size = total;
    const int64_t room = free_space(request.path);
    if (size >= 0 && room >= 0 && size - part.size() > room) {
      return fail(Code::io, request.path, "free space on the disk",
                  human_bytes(static_cast<double>(size - part.size())), human_bytes(static_cast<double>(room)),
                  "free some space, or set WEFT_CACHE to another disk");
    }
    return {};
  }

  Status body(std::span<const std::byte> bytes) {
    WEFT_CHECK_OK(part.append(bytes));
    received += static_cast<int64_t>(bytes.size());
    if (size >= 0 && part.size() > size) {
      part.remove();
      return fail(Code::bad_file, request.url, "size", std::to_string(size) + " bytes", "more");
    }
    if (options.progress) options.progress(part.size(), std::max<int64_t>(size, 0));
    return {};
  }
};

Result<Downloaded> transfer(const DownloadRequest& request, const HttpOptions& options) {
  Part part(request.path);
  WEFT_CHECK_OK(part.open_and_hash(options));
  Transfer transfer{request, options, part, request.size, 0, 0, request.sha256};
  if (transfer.size >= 0 && part.size() > transfer.size) WEFT_CHECK_OK(part.restart(""));
  for (int attempt = 0; transfer.size < 0 || part.size() < transfer.size || transfer.size == 0; ++attempt) {
    auto response =
        http_retry([&] { return transfer.call(); },
                   [&] { return std::exchange(transfer.seen, transfer.received) != transfer.received; }, options);
    if (!response) return fail(response.error());
    if (response->status != 416) break;
    // The server has no more bytes: either all are here, or the part belongs to something else.
    if (content_range(header(*response, "content-range")).total == part.size() && transfer.size < 0) break;
    if (attempt > 0) return fail(Code::io, request.url, "range", "more bytes", "HTTP 416");
    WEFT_CHECK_OK(part.restart(""));
  }
  if (transfer.size >= 0 && part.size() != transfer.size) {
    return fail(Code::io, request.url, "size", std::to_string(transfer.size) + " bytes",
                std::to_string(part.size()) + " bytes", "run the command again to go on from there");
  }
  Downloaded done{part.size(), transfer.received, part.sha256(), !transfer.sha256.empty(), false};
  if (done.checked && done.sha256 != transfer.sha256) {
    part.remove();
    return fail(Code::bad_file, request.url, "SHA-256", transfer.sha256, done.sha256,
                "the download was damaged and has been removed; run the command again");
  }
  WEFT_CHECK_OK(part.finish(request.path));
  return done;
}

}  // namespace

Result<Downloaded> download(const DownloadRequest& request, const HttpOptions& options) {
  std::error_code error;
  const std::filesystem::path path(request.path);
  std::filesystem::create_directories(path.parent_path(), error);
  if (error) return fail(system_error(path.parent_path().string(), "folder cannot be made", error.value()));
  Lock lock;
  WEFT_CHECK_OK(lock.take(request.path + ".lock", options));
  if (std::filesystem::is_regular_file(path, error) && !request.replace) {
    const auto size = static_cast<int64_t>(std::filesystem::file_size(path, error));
    if (request.size < 0 || size == request.size) {
      if (request.sha256.empty()) return Downloaded{size, 0, {}, false, true};
      WEFT_TRY(const std::string there, sha256_of(request.path, size, options));
      if (there == request.sha256) return Downloaded{size, 0, there, true, true};
      if (options.log) options.log("the file in the cache is damaged; downloading it again");
    }
  }
  return transfer(request, options);
}

}  // namespace weft::cli
