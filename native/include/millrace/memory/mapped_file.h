#pragma once

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "millrace/base/file_descriptor.h"
#include "millrace/base/system_error.h"

namespace millrace {

// A temporary file without a name, mapped as an endless tape of bytes: a window [start, end) of it
// can be used, which is extended at one end and discarded at the other. Positions only grow, and
// what lies at a position never moves in memory, however long the tape runs.
// Not thread-safe. Owns the file and twice max_bytes of address space. Physical memory is taken as
// bytes are written, disk space in steps as the window is extended; discarding gives both back.
//
//   file      [0 ........................ ring)
//   memory    [0 ........................ ring)[ring ................... 2 ring)
//              byte p of the tape is at p mod ring, and the file is mapped twice, one after the
//              other: a window of at most ring bytes is in one piece wherever it begins.
//
// All disk space is allocated before it can be touched, because a write to a mapping that the disk
// has no room for is a SIGBUS. What stays is a disk that fails: that is a SIGBUS still.
class MappedFile {
 public:
  // What open() answers for a directory in main memory.
  static constexpr int kMemoryFileSystem = EMEDIUMTYPE;

  MappedFile() = default;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() { close(); }

  // max_bytes: of the window. A directory on tmpfs or ramfs would hold the file in the very memory
  // it shall save, so it is refused with EMEDIUMTYPE, unless allowed. (A file system over tmpfs
  // is not seen through.)
  SystemError open(const char* directory, std::size_t max_bytes,
                   bool allow_memory_file_system = false) {
    close();
    if (max_bytes == 0 || max_bytes > kMaxBytes) return {EINVAL, "mmap"};
    FileDescriptor file;
    if (auto error = open_unnamed(directory, file)) return error;
    struct statfs system;
    if (::fstatfs(file.get(), &system) != 0) return last_system_error("statfs");
    const bool in_memory = system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC;
    if (in_memory && !allow_memory_file_system) return {kMemoryFileSystem, "statfs"};
    const std::size_t ring = round_up(max_bytes + kGranule);
    void* const memory =
        ::mmap(nullptr, 2 * ring, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return last_system_error("mmap");
    file_ = std::move(file);
    memory_ = static_cast<std::byte*>(memory);
    ring_ = ring;
    max_bytes_ = max_bytes;
    start_ = end_ = mapped_ = 0;
    return {};
  }

  void close() noexcept {
    if (memory_ != nullptr) ::munmap(std::exchange(memory_, nullptr), 2 * ring_);
    file_.reset();
    ring_ = max_bytes_ = 0;
    start_ = end_ = 0;
  }

  bool is_open() const noexcept { return memory_ != nullptr; }
  std::size_t max_bytes() const noexcept { return max_bytes_; }

  // The window. Its start is a multiple of kGranule: up to so many discarded bytes are kept.
  std::uint64_t start() const noexcept { return start_; }
  std::uint64_t end() const noexcept { return end_; }

  // The byte at a position. REQUIRES: it is in the window.
  std::byte* at(std::uint64_t position) const noexcept { return memory_ + position % ring_; }

  // Makes the window reach to `end` at least. ENOSPC, EDQUOT, EFBIG (a limit on file sizes) and the
  // like leave everything as it was. EMSGSIZE if the window would become longer than max_bytes(),
  // not counting discarded bytes that are kept.
  SystemError extend(std::uint64_t end) {
    if (end <= end_) return {};
    const std::uint64_t limit = start_ + ring_;
    if (end > limit) return {EMSGSIZE, "extend"};
    const std::uint64_t needed = std::min(round_up(end), limit);
    // Each step as long as the window is already, so that few are needed.
    const std::uint64_t step = std::clamp<std::uint64_t>(end_ - start_, kMinStep, kMaxStep);
    const std::uint64_t wanted = std::min(std::max(needed, round_up(end_ + step)), limit);
    SystemError error = allocate(wanted);
    if (error && wanted > needed) error = allocate(needed);
    return error;
  }

  // Gives the memory and the disk space before `until` back, in whole granules. Positions before
  // `until` must not be used any more. A file system that cannot punch holes keeps the disk space
  // until the tape comes round.
  void discard(std::uint64_t until) noexcept {
    const std::uint64_t first = std::min(until, end_) / kGranule * kGranule;
    if (first <= start_) return;
    punch(start_, first);
    start_ = first;
  }

 private:
  // Multiple of every page size there is.
  static constexpr std::size_t kGranule = std::size_t{64} << 10;
  static constexpr std::size_t kMinStep = std::size_t{1} << 20;
  static constexpr std::size_t kMaxStep = std::size_t{64} << 20;
  static constexpr std::size_t kMaxBytes = std::size_t{1} << 44;

  static constexpr std::uint64_t round_up(std::uint64_t bytes) {
    return (bytes + kGranule - 1) / kGranule * kGranule;
  }

  static SystemError open_unnamed(const char* directory, FileDescriptor& out) {
    const int fd = ::open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
    if (fd >= 0) {
      out.reset(fd);
      return {};
    }
    // What file systems and kernels without O_TMPFILE answer.
    if (errno != EOPNOTSUPP && errno != EISDIR) return last_system_error("open");
    char path[4096];
    const int length = std::snprintf(path, sizeof path, "%s/millrace-XXXXXX", directory);
    if (length < 0 || length >= static_cast<int>(sizeof path)) return {ENAMETOOLONG, "open"};
    out.reset(::mkostemp(path, O_CLOEXEC));
    if (!out) return last_system_error("open");
    if (::unlink(path) != 0) return last_system_error("unlink");
    return {};
  }

  // Calls visit(offset in the file, bytes) for what lies at [from, to): two pieces where the tape
  // comes round.
  template <class Visit>
  SystemError for_pieces(std::uint64_t from, std::uint64_t to, Visit visit) const {
    while (from < to) {
      const std::uint64_t offset = from % ring_;
      const std::uint64_t bytes = std::min(to - from, ring_ - offset);
      if (SystemError error = visit(offset, bytes)) return error;
      from += bytes;
    }
    return {};
  }

  SystemError allocate(std::uint64_t end) {
    const SystemError error = for_pieces(end_, end, [this](auto offset, auto bytes) {
      if (exceeds_file_limit(offset + bytes)) return SystemError{EFBIG, "fallocate"};
      int code;
      do {
        // Writes zeroes itself where the file system cannot allocate.
        code =
            ::posix_fallocate(file_.get(), static_cast<off_t>(offset), static_cast<off_t>(bytes));
      } while (code == EINTR);
      return SystemError{code, "fallocate"};
    });
    if (error) {
      // A file system may have allocated the first part, which somebody else could use.
      punch(end_, end);
      return error;
    }
    if (auto map_error = map(std::min<std::uint64_t>(end, ring_))) return map_error;
    end_ = end;
    return {};
  }

  void punch(std::uint64_t from, std::uint64_t to) noexcept {
    for_pieces(from, to, [this](std::uint64_t offset, std::uint64_t bytes) {
      const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
      if (::fallocate(file_.get(), mode, static_cast<off_t>(offset), static_cast<off_t>(bytes))) {
        // Of an address that is not mapped yet, this does nothing.
        ::madvise(memory_ + offset, bytes, MADV_DONTNEED);
        ::madvise(memory_ + ring_ + offset, bytes, MADV_DONTNEED);
      }
      return SystemError{};
    });
  }

  // The kernel answers a file beyond RLIMIT_FSIZE with a signal that ends the process.
  static bool exceeds_file_limit(std::uint64_t bytes) {
    rlimit limit;
    return ::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
           bytes > limit.rlim_cur;
  }

  // Maps the file up to this offset. Neighbouring maps become one, so their number does not grow.
  SystemError map(std::uint64_t end) {
    if (end <= mapped_) return {};
    const std::size_t bytes = end - mapped_;
    for (const std::uint64_t copy : {std::uint64_t{0}, std::uint64_t{ring_}}) {
      std::byte* const address = memory_ + copy + mapped_;
      if (::mmap(address, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file_.get(),
                 static_cast<off_t>(mapped_)) == MAP_FAILED) {
        return last_system_error("mmap");
      }
      // A hint; it may fail.
      ::madvise(address, bytes, MADV_SEQUENTIAL);
    }
    mapped_ = end;
    return {};
  }

  FileDescriptor file_;
  std::byte* memory_ = nullptr;
  std::size_t ring_ = 0;  // bytes of the file, a multiple of kGranule
  std::size_t max_bytes_ = 0;
  std::uint64_t start_ = 0;
  std::uint64_t end_ = 0;
  std::uint64_t mapped_ = 0;  // offset in the file up to which it is mapped
};

}  // namespace millrace
