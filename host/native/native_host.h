// The Host of native programs: mapped files, threads, the monotonic clock, and a log that goes where the program says.
//
//   NativeHost host([](LogLevel level, std::string_view text) { if (level != LogLevel::debug) print_to_stderr(text);
//   }); auto model = run_to_end(LanguageModel::load(host, path, {}), [&] { host.poll(); });
//
// Files are mapped where the system can, else read with pread. A file that another program truncates while it is mapped
// ends this process with SIGBUS when a page that is gone is touched; the size is checked when it is opened, and read()
// never uses the mapping, so that it fails with `io` instead. Replace a model by renaming a new file over it.
#pragma once

#include "base/host.h"
#include "file/byte_sink.h"

namespace weft {

// The model file linked into the program, if one was: open(kBuiltinModel) reads it like any other file.
inline constexpr const char* kBuiltinModel = "builtin:default";
bool has_builtin_model();

class NativeHost : public Host {
 public:
  using LogSink = std::function<void(LogLevel, std::string_view)>;
  explicit NativeHost(LogSink log = {}) : log_(std::move(log)) {}

  // not_found: nothing there, or no regular file; io: the system refuses (permission, too many files …).
  Result<std::unique_ptr<ByteSource>> open(const std::string& path) override;
  void log(LogLevel level, std::string_view text) override;
  double now() override;
  Task<void> yield() override;
  // All or none: nullptr if the system refuses a thread. Workers block all signals, so that a handler runs elsewhere.
  int cores() override;
  std::unique_ptr<Workers> start_workers(int count, std::function<void(int)> body) override;

 private:
  LogSink log_;
};

// A file that appears whole or not at all: written under a temporary name in the same folder, made durable and renamed
// by commit(), removed by the destructor if that did not happen. Replaces a file that is there. Devices and pipes are
// written directly. io: no permission, no space, not a folder …, naming the path.
Result<std::unique_ptr<ByteSink>> create_file(const std::string& path);

// $WEFT_CACHE, else $XDG_CACHE_HOME/weft, else ~/.cache/weft; not_found where none of them is set. It may not exist
// yet.
Result<std::string> cache_folder();

// The most memory this process has had resident, in bytes (VmHWM, which includes mapped pages of files); 0 if unknown.
int64_t peak_memory_bytes();

// Local time as "2024-07-26T12:00:00", for chat templates that write the date.
std::string local_time_iso();

}  // namespace weft
