#pragma once

#include <dirent.h>

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <thread>

namespace millrace {

inline std::size_t entries_of(const char* folder) {
  std::size_t found = 0;
  DIR* open = ::opendir(folder);
  if (open == nullptr) return 0;
  while (const dirent* entry = ::readdir(open)) found += entry->d_name[0] != '.' ? 1 : 0;
  ::closedir(open);
  return found;
}

// Of this process. The one that the count itself opens is not counted.
inline std::size_t open_descriptors() { return entries_of("/proc/self/fd") - 1; }
inline std::size_t threads() { return entries_of("/proc/self/task"); }

// A joined thread leaves the list of the kernel a moment later.
inline void wait_for_threads(std::size_t count) {
  while (threads() > count) std::this_thread::yield();
}

inline std::int64_t process_cpu_ns() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

}  // namespace millrace
