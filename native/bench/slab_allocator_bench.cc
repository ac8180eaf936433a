// The slab beside glibc, jemalloc and mimalloc: pairs of allocate and free on one thread, and
// blocks that one thread allocates and another frees; and how much more than what lives it and
// jemalloc take in a day of changing sizes (counter "committed"; one of them a process). Peers that
// are not installed are left out.
// One run, interleaved:
//   slab_allocator_bench --benchmark_enable_random_interleaving=true --benchmark_repetitions=9
#include <benchmark/benchmark.h>
#include <dlfcn.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>

#include "block_ring.h"
#include "millrace/memory/slab_allocator.h"
#include "slab_day.h"

namespace {

using millrace::SlabAllocator;

class Slab {
 public:
  Slab() {
    millrace::SlabOptions options;
    options.max_bytes = std::size_t{256} << 20;
    if (slab_.open(options)) std::abort();
  }
  using Block = std::uint32_t;
  Block allocate(std::size_t bytes) { return slab_.allocate(bytes); }
  void free(Block block) { slab_.free(block); }
  std::byte* data(Block block) { return slab_.data(block); }

 private:
  SlabAllocator slab_;
};

// Called through pointers, as a program calls its malloc through the linker's table.
struct Malloc {
  using Block = void*;
  Block allocate(std::size_t bytes) { return malloc_function(bytes); }
  void free(Block block) { free_function(block); }
  std::byte* data(Block block) { return static_cast<std::byte*>(block); }

  void* (*malloc_function)(std::size_t);
  void (*free_function)(void*);
};

// Writes to each block's first line: memory that nobody touches is not worth allocating.
template <class Allocator>
void pair(benchmark::State& state, Allocator& allocator, std::size_t bytes) {
  std::array<typename Allocator::Block, 64> live;
  for (auto& block : live) block = allocator.allocate(bytes);
  std::size_t at = 0;
  for (auto _ : state) {
    auto& block = live[at++ % live.size()];
    allocator.free(block);
    block = allocator.allocate(bytes);
    *reinterpret_cast<volatile std::uint64_t*>(allocator.data(block)) = at;
  }
  for (auto& block : live) allocator.free(block);
  state.SetItemsProcessed(state.iterations());
}

template <class Allocator>
void cross(benchmark::State& state, Allocator& allocator, std::size_t bytes) {
  using Block = typename Allocator::Block;
  millrace_bench::BlockRing<Block> ring;
  std::thread consumer([&] {
    ring.consume([&](Block block) {
      benchmark::DoNotOptimize(*reinterpret_cast<volatile std::uint64_t*>(allocator.data(block)));
      allocator.free(block);
    });
  });
  std::uint64_t count = 0;
  for (auto _ : state) {
    const Block block = allocator.allocate(bytes);
    *reinterpret_cast<volatile std::uint64_t*>(allocator.data(block)) = ++count;
    ring.push(block);
  }
  ring.close();
  consumer.join();
  state.SetItemsProcessed(state.iterations());
}

template <class Allocator>
void add_day(const char* name, Allocator& allocator) {
  benchmark::RegisterBenchmark(name,
                               [&allocator](benchmark::State& state) {
                                 double committed = 0;
                                 for (auto _ : state) {
                                   committed =
                                       millrace_bench::Day(std::random_device{}()).run(allocator);
                                 }
                                 state.counters["committed"] = committed;
                               })
      ->Iterations(1)
      ->Unit(benchmark::kMillisecond);
}

template <class Allocator>
void add(const std::string& name, Allocator& allocator) {
  for (const std::size_t bytes : {64, 256, 1024, 4096, 16384, 65536}) {
    benchmark::RegisterBenchmark(
        ("pair/" + std::to_string(bytes) + "/" + name).c_str(),
        [&allocator, bytes](benchmark::State& state) { pair(state, allocator, bytes); });
  }
  for (const std::size_t bytes : {64, 1024, 4096}) {
    benchmark::RegisterBenchmark(
        ("cross/" + std::to_string(bytes) + "/" + name).c_str(),
        [&allocator, bytes](benchmark::State& state) { cross(state, allocator, bytes); })
        ->UseRealTime();
  }
}

bool load_peer(const char* file, Malloc& out) {
  void* const library = ::dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return false;
  out.malloc_function = reinterpret_cast<void* (*)(std::size_t)>(::dlsym(library, "malloc"));
  out.free_function = reinterpret_cast<void (*)(void*)>(::dlsym(library, "free"));
  return out.malloc_function != nullptr && out.free_function != nullptr;
}

// jemalloc wants static thread-local storage, which glibc sets aside at start-up only.
void restart_with_room_for_peers(char** argv) {
  if (std::getenv("GLIBC_TUNABLES") != nullptr) return;
  ::setenv("GLIBC_TUNABLES", "glibc.rtld.optional_static_tls=65536", 1);
  ::execv("/proc/self/exe", argv);
}

}  // namespace

int main(int argc, char** argv) {
  restart_with_room_for_peers(argv);
  static Slab slab;
  static Malloc glibc{std::malloc, std::free};
  static Malloc jemalloc;
  static Malloc mimalloc;
  add("slab", slab);
  add_day("day/slab", slab);
  add("glibc", glibc);
  if (load_peer("libjemalloc.so.2", jemalloc)) {
    add("jemalloc", jemalloc);
    add_day("day/jemalloc", jemalloc);
  } else {
    std::fprintf(stderr, "jemalloc left out: %s\n", ::dlerror());
  }
  if (load_peer("libmimalloc.so.2", mimalloc)) {
    add("mimalloc", mimalloc);
  } else {
    std::fprintf(stderr, "mimalloc left out: %s\n", ::dlerror());
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
