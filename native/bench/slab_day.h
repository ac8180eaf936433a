#pragma once

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <utility>
#include <vector>

namespace millrace_bench {

// A day of a server whose mix of sizes shifts, after Larson and Krishnan (ISMM 1998): blocks die in
// random order and others take their place, in hours of more and of less load that prefer small,
// medium or large ones, from 64 bytes to 64 KiB. In an hour all blocks are replaced ten times over.
// One thread, and one allocator a process: memory is what the system says is resident, since what
// allocators say of themselves are different things.
class Day {
 public:
  static constexpr std::size_t kLiveBytes = std::size_t{48} << 20;

  explicit Day(std::uint64_t seed) : random_(seed) {}

  // The most memory there was for blocks, as a multiple of the most bytes that were live.
  // Allocator: Block allocate(bytes), free(Block), std::byte* data(Block).
  template <class Allocator>
  double run(Allocator& allocator) {
    std::vector<std::pair<typename Allocator::Block, std::size_t>> live;
    // Written to, so that it is no part of what is measured.
    live.resize(kLiveBytes / 64);
    live.clear();
    std::size_t live_bytes = 0;
    std::size_t most_live = 0;
    std::size_t most_resident = 0;
    const std::size_t before = resident_bytes();
    for (const auto& [load, smallest, largest] : kHours) {
      const auto target = static_cast<std::size_t>(load * kLiveBytes);
      double turnover = 0;
      for (std::uint32_t step = 0; turnover < 10; ++step) {
        const std::size_t bytes = some_size(smallest, largest);
        while (live_bytes + bytes > target) {
          auto& victim = live[random_() % live.size()];
          allocator.free(victim.first);
          live_bytes -= victim.second;
          victim = live.back();
          turnover += 1 / static_cast<double>(live.size());
          live.pop_back();
        }
        const auto block = allocator.allocate(bytes);
        for (std::size_t at = 0; at < bytes; at += 64) allocator.data(block)[at] = std::byte{1};
        live.emplace_back(block, bytes);
        live_bytes += bytes;
        most_live = std::max(most_live, live_bytes);
        if (step % 1024 == 0) {
          most_resident = std::max(most_resident, resident_bytes());
        }
      }
    }
    for (const auto& [block, bytes] : live) allocator.free(block);
    return static_cast<double>(most_resident - before) / static_cast<double>(most_live);
  }

 private:
  struct Hour {
    double load;  // of kLiveBytes
    double smallest;
    double largest;
  };
  static constexpr Hour kHours[] = {
      {0.4, 64, 1024},   {0.5, 64, 4096},    {0.6, 64, 16384},   {0.8, 64, 65536},
      {1.0, 256, 65536}, {0.9, 1024, 65536}, {0.8, 4096, 65536}, {0.9, 1024, 65536},
      {1.0, 256, 65536}, {0.8, 64, 32768},   {0.6, 64, 8192},    {0.4, 64, 1024},
  };

  static std::size_t resident_bytes() {
    long pages = 0;
    std::FILE* const file = std::fopen("/proc/self/statm", "r");
    if (file == nullptr || std::fscanf(file, "%*d %ld", &pages) != 1) std::abort();
    std::fclose(file);
    return static_cast<std::size_t>(pages) * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  }

  // Each size as likely as the one twice as large.
  std::size_t some_size(double smallest, double largest) {
    const double at = static_cast<double>(random_() >> 11) / 9007199254740992.0;
    return static_cast<std::size_t>(smallest * std::pow(largest / smallest, at));
  }

  std::mt19937_64 random_;
};

}  // namespace millrace_bench
