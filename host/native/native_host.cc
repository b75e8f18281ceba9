#include "native_host.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

// Defined by the object that embeds a model (builtin_model.S) where a program links it; absent otherwise.
extern "C" {
extern const std::byte weft_builtin_model_begin[] __attribute__((weak));
extern const std::byte weft_builtin_model_end[] __attribute__((weak));
}

namespace weft {
namespace {

std::string system_error(int number) {
  char buffer[128];
#if defined(__GLIBC__)
  return strerror_r(number, buffer, sizeof buffer);
#else
  return strerror_r(number, buffer, sizeof buffer) == 0 ? buffer : "unknown error";
#endif
}

std::string_view kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  return "no regular file";
}

// Pages wholly inside [data, data + size) leave memory; they are read from the file again when touched.
void drop_pages(const std::byte* data, uint64_t size) {
  const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(data) + page - 1) / page * page;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(data) + size) / page * page;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

std::unexpected<Error> beyond_end(const std::string& name, uint64_t offset, uint64_t count, uint64_t size) {
  return fail(Code::io, name, "read of " + std::to_string(count) + " bytes at " + std::to_string(offset),
              "inside " + std::to_string(size) + " bytes", "beyond the end");
}

class FileSource : public ByteSource {
 public:
  FileSource(std::string name, int fd, uint64_t size) : name_(std::move(name)), fd_(fd), size_(size) {
    if (size_ == 0) return;
    void* memory = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd_, 0);
    if (memory != MAP_FAILED) data_ = static_cast<const std::byte*>(memory);
  }
  ~FileSource() override {
    if (data_) munmap(const_cast<std::byte*>(data_), size_);
    close(fd_);
  }
  const std::string& name() const override { return name_; }
  uint64_t size() const override { return size_; }
  Task<Status> read(uint64_t offset, std::span<std::byte> out) override {
    if (offset > size_ || out.size() > size_ - offset) co_return beyond_end(name_, offset, out.size(), size_);
    while (!out.empty()) {
      const ssize_t n = pread(fd_, out.data(), out.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) co_return fail(Code::io, name_, "reading", {}, system_error(errno));
      if (n == 0)
        co_return fail(Code::io, name_, "file size", std::to_string(size_) + " bytes as when it was opened",
                       "end of file at " + std::to_string(offset), "another program truncated the file; open it again");
      offset += static_cast<uint64_t>(n);
      out = out.subspan(static_cast<size_t>(n));
    }
    co_return Status{};
  }
  const std::byte* mapped() const override { return data_; }
  void release(uint64_t offset, uint64_t size) override {
    if (data_ && offset <= size_ && size <= size_ - offset) drop_pages(data_ + offset, size);
  }

 private:
  std::string name_;
  int fd_;
  uint64_t size_;
  const std::byte* data_ = nullptr;
};

class BuiltinSource : public ByteSource {
 public:
  const std::string& name() const override { return name_; }
  uint64_t size() const override { return static_cast<uint64_t>(weft_builtin_model_end - weft_builtin_model_begin); }
  Task<Status> read(uint64_t offset, std::span<std::byte> out) override {
    if (offset > size() || out.size() > size() - offset) co_return beyond_end(name_, offset, out.size(), size());
    if (!out.empty()) std::memcpy(out.data(), weft_builtin_model_begin + offset, out.size());
    co_return Status{};
  }
  const std::byte* mapped() const override { return weft_builtin_model_begin; }
  void release(uint64_t offset, uint64_t count) override {
    if (offset <= size() && count <= size() - offset) drop_pages(weft_builtin_model_begin + offset, count);
  }

 private:
  std::string name_ = kBuiltinModel;
};

// Threads wait at a gate until all exist, so that a refused thread leaves none running.
class Threads : public Workers {
 public:
  explicit Threads(std::function<void(int)> body) : body_(std::move(body)) {}
  ~Threads() override {
    for (auto& start : starts_)
      if (start->running) pthread_join(start->thread, nullptr);
  }
  bool start(int count) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool complete = true;
    for (int i = 1; i <= count && complete; ++i) {
      starts_.push_back(std::make_unique<Start>(this, i));
      Start& start = *starts_.back();
      start.running = complete = pthread_create(&start.thread, nullptr, enter, &start) == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    {
      std::lock_guard lock(mutex_);
      gate_ = complete ? Gate::run : Gate::leave;
    }
    opened_.notify_all();
    return complete;
  }

 private:
  enum class Gate { wait, run, leave };
  struct Start {
    Threads* owner;
    int index;
    pthread_t thread{};
    bool running = false;
    Start(Threads* threads, int i) : owner(threads), index(i) {}
  };
  static void* enter(void* argument) {
    const Start& start = *static_cast<Start*>(argument);
    Threads& self = *start.owner;
    {
      std::unique_lock lock(self.mutex_);
      self.opened_.wait(lock, [&] { return self.gate_ != Gate::wait; });
      if (self.gate_ == Gate::leave) return nullptr;
    }
#if defined(__linux__)
    char name[16];
    std::snprintf(name, sizeof name, "weft-%d", start.index);
    pthread_setname_np(pthread_self(), name);
#endif
    self.body_(start.index);
    return nullptr;
  }

  std::function<void(int)> body_;
  std::mutex mutex_;
  std::condition_variable opened_;
  Gate gate_ = Gate::wait;
  std::vector<std::unique_ptr<Start>> starts_;
};

}  // namespace

bool has_builtin_model() { return weft_builtin_model_begin != nullptr; }

Result<std::unique_ptr<ByteSource>> NativeHost::open(const std::string& path) {
  if (path == kBuiltinModel) {
    if (!has_builtin_model())
      return fail(Code::not_found, path, "built-in model", "one linked into the program", "none", "name a model file");
    return std::make_unique<BuiltinSource>();
  }
  // O_NONBLOCK: opening a pipe must not wait for its writer; it means nothing for regular files.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    const int number = errno;
    const bool absent = number == ENOENT || number == ENOTDIR;
    return fail(absent ? Code::not_found : Code::io, path, "opening", "a readable file", system_error(number));
  }
  struct stat status;
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(fd);
    return fail(Code::not_found, path, "opening", "a regular file", std::string(kind_of(status.st_mode)));
  }
  return std::make_unique<FileSource>(path, fd, static_cast<uint64_t>(status.st_size));
}

void NativeHost::log(LogLevel level, std::string_view text) {
  if (log_) log_(level, text);
}

double NativeHost::now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

Task<void> NativeHost::yield() { co_return; }

int NativeHost::cores() { return static_cast<int>(std::thread::hardware_concurrency()); }

std::unique_ptr<Workers> NativeHost::start_workers(int count, std::function<void(int)> body) {
  if (count <= 0) return nullptr;
  auto threads = std::make_unique<Threads>(std::move(body));
  if (!threads->start(count)) return nullptr;
  return threads;
}

Result<std::string> cache_folder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  if (std::string folder = variable("WEFT_CACHE"); !folder.empty()) return folder;
  if (std::string folder = variable("XDG_CACHE_HOME"); !folder.empty()) return folder + "/weft";
  if (std::string folder = variable("HOME"); !folder.empty()) return folder + "/.cache/weft";
  return fail(Code::not_found, "cache folder", "none of WEFT_CACHE, XDG_CACHE_HOME and HOME is set", "", "",
              "set WEFT_CACHE to a folder");
}

int64_t peak_memory_bytes() {
  if (std::FILE* file = std::fopen("/proc/self/status", "re")) {
    char line[256];
    long long kilobytes = -1;
    while (kilobytes < 0 && std::fgets(line, sizeof line, file)) std::sscanf(line, "VmHWM: %lld", &kilobytes);
    std::fclose(file);
    if (kilobytes >= 0) return kilobytes * 1024;
  }
  rusage usage;
  return getrusage(RUSAGE_SELF, &usage) == 0 ? static_cast<int64_t>(usage.ru_maxrss) * 1024 : 0;
}

std::string local_time_iso() {
  const time_t now = time(nullptr);
  tm local;
  char text[32];
  if (!localtime_r(&now, &local) || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &local) == 0) return {};
  return text;
}

}  // namespace weft
