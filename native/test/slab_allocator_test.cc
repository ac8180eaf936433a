#include "millrace/memory/slab_allocator.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <latch>
#include <map>
#include <memory>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "seed.h"

namespace millrace {
namespace {

constexpr std::size_t kPage = 64 << 10;

SlabOptions options_of(std::size_t max_bytes) {
  SlabOptions options;
  options.max_bytes = max_bytes;
  return options;
}

// Allocates blocks of one size until there are none, and answers them.
std::vector<std::uint32_t> fill(SlabAllocator& slab, std::size_t bytes) {
  std::vector<std::uint32_t> blocks;
  for (;;) {
    const std::uint32_t block = slab.allocate(bytes);
    if (block == kNoBlock) return blocks;
    blocks.push_back(block);
  }
}

void free_all(SlabAllocator& slab, const std::vector<std::uint32_t>& blocks) {
  for (const std::uint32_t block : blocks) ASSERT_EQ(slab.free(block), FreeResult::kOk);
}

TEST(SlabAllocator, GivesTheBlockItSays) {
  SlabAllocator slab;
  ASSERT_FALSE(slab.open(options_of(64 << 20)));
  for (const std::size_t bytes : {0, 1, 64, 65, 256, 257, 1000, 4096, 20'000, 32 << 10}) {
    const std::uint32_t block = slab.allocate(bytes);
    ASSERT_NE(block, kNoBlock);
    EXPECT_EQ(block % 64, 0u);
    EXPECT_EQ(slab.block_bytes(block), slab.class_bytes(bytes));
    EXPECT_GE(slab.block_bytes(block), bytes);
    std::memset(slab.data(block), 0xab, slab.block_bytes(block));
    EXPECT_EQ(slab.free(block), FreeResult::kOk);
    EXPECT_EQ(slab.block_bytes(block), 0u) << "no block is live there now";
  }
}

TEST(SlabAllocator, LargeRequestsTakeRunsOfWholePages) {
  SlabAllocator slab;
  ASSERT_FALSE(slab.open(options_of(4 << 20)));
  const std::pair<std::size_t, std::size_t> cases[] = {{(32 << 10) + 1, kPage},
                                                       {kPage, kPage},
                                                       {kPage + 1, 2 * kPage},
                                                       {1 << 20, 1 << 20},
                                                       {4 << 20, 4 << 20}};
  for (const auto& [bytes, expected] : cases) {
    const std::uint32_t block = slab.allocate(bytes);
    ASSERT_NE(block, kNoBlock) << bytes;
    EXPECT_EQ(slab.class_bytes(bytes), expected);
    EXPECT_EQ(slab.block_bytes(block), expected);
    std::memset(slab.data(block), 0xab, expected);
    EXPECT_EQ(slab.free(block), FreeResult::kOk);
  }
  EXPECT_EQ(slab.allocate((4 << 20) + 1), kNoBlock);
  EXPECT_EQ(slab.allocate(std::size_t{1} << 40), kNoBlock);
  EXPECT_EQ(slab.allocate(SIZE_MAX), kNoBlock);
}

TEST(SlabAllocator, HandsOutAllOfTheArenaAndNoMore) {
  SlabAllocator slab;
  ASSERT_FALSE(slab.open(options_of((2 << 20) + 1000)));
  ASSERT_EQ(slab.max_bytes(), std::size_t{2} << 20);
  for (const std::size_t bytes : {64, 128, 1024, 4096, 32 << 10, 64 << 10}) {
    std::vector<std::uint32_t> blocks = fill(slab, bytes);
    EXPECT_EQ(blocks.size(), slab.max_bytes() / bytes) << bytes;
    std::sort(blocks.begin(), blocks.end());
    for (std::size_t i = 0; i < blocks.size(); ++i) ASSERT_EQ(blocks[i], i * bytes);
    EXPECT_EQ(slab.stats().in_use_bytes, slab.max_bytes());
    free_all(slab, blocks);
  }
}

TEST(SlabAllocator, RefusesOptionsThatMakeNoSense) {
  SlabAllocator slab;
  const auto refused = [&](auto change) {
    SlabOptions options;
    change(options);
    return slab.open(options).code == EINVAL && SlabAllocator::metadata_bytes(options) == 0;
  };
  EXPECT_TRUE(refused([](SlabOptions& o) { o.max_bytes = kPage - 1; }));
  EXPECT_TRUE(refused([](SlabOptions& o) { o.max_bytes = std::size_t{1} << 32; }));
  EXPECT_TRUE(refused([](SlabOptions& o) { o.min_block_bytes = 0; }));
  EXPECT_TRUE(refused([](SlabOptions& o) { o.min_block_bytes = o.max_block_bytes + 1; }));
  EXPECT_TRUE(refused([](SlabOptions& o) { o.max_block_bytes = 64 << 10; }));
  EXPECT_TRUE(refused([](SlabOptions& o) { o.growth = 1.0; }));
  EXPECT_TRUE(refused([](SlabOptions& o) { o.max_thread_caches = 1 << 20; }));
  EXPECT_EQ(slab.allocate(1), kNoBlock);
}

TEST(SlabAllocator, TheLargestArenaWorksToItsLastByte) {
  SlabAllocator slab;
  ASSERT_FALSE(slab.open(options_of((std::size_t{1} << 32) - 1)));
  EXPECT_EQ(slab.max_bytes(), (std::size_t{1} << 32) - kPage);
  const std::uint32_t run = slab.allocate(2 * kPage);
  ASSERT_NE(run, kNoBlock);
  EXPECT_EQ(run, slab.max_bytes() - 2 * kPage);
  slab.data(run)[2 * kPage - 1] = std::byte{1};
  EXPECT_EQ(slab.free(run), FreeResult::kOk);
  const std::uint32_t all = slab.allocate(slab.max_bytes());
  EXPECT_EQ(all, 0u);
  EXPECT_EQ(slab.free(all), FreeResult::kOk);
}

TEST(SlabAllocator, SaysWhatIsWrongWithAFree) {
  SlabAllocator slab;
  ASSERT_FALSE(slab.open(options_of(1 << 20)));
  EXPECT_EQ(slab.free(0), FreeResult::kForeign) << "never allocated";
  const std::uint32_t block = slab.allocate(256);
  EXPECT_EQ(slab.free(block + 64), FreeResult::kForeign) << "inside a block";
  EXPECT_EQ(slab.free(block + 1), FreeResult::kForeign) << "not a multiple of 64";
  EXPECT_EQ(slab.free(1 << 20), FreeResult::kForeign) << "behind the arena";
  EXPECT_EQ(slab.free(kNoBlock), FreeResult::kForeign);
  EXPECT_EQ(slab.free(block), FreeResult::kOk);
  EXPECT_EQ(slab.free(block), FreeResult::kDoubleFree);
  const std::uint32_t run = slab.allocate(3 * kPage);
  EXPECT_EQ(slab.free(run + 64), FreeResult::kForeign) << "inside a run";
  EXPECT_EQ(slab.free(run + kPage), FreeResult::kForeign) << "a later page of a run";
  EXPECT_EQ(slab.free(run), FreeResult::kOk);
  EXPECT_EQ(slab.free(run), FreeResult::kDoubleFree);
  EXPECT_EQ(slab.stats().in_use_bytes, 0u);
}

// The block lies in a magazine, then in its page, then in the pool, then on another thread's side.
TEST(SlabAllocator, NoticesADoubleFreeWhereverTheBlockLies) {
  SlabAllocator slab;
  ASSERT_FALSE(slab.open(options_of(1 << 20)));
  std::vector<std::uint32_t> blocks;
  for (int i = 0; i < 2000; ++i) blocks.push_back(slab.allocate(64));
  const auto all_double = [&] {
    return std::all_of(blocks.begin(), blocks.end(),
                       [&](std::uint32_t b) { return slab.free(b) == FreeResult::kDoubleFree; });
  };
  free_all(slab, blocks);
  EXPECT_TRUE(all_double());
  slab.release_thread_cache();
  EXPECT_TRUE(all_double());
  slab.trim();
  EXPECT_TRUE(all_double());
  std::thread([&] { EXPECT_TRUE(all_double()); }).join();
  EXPECT_EQ(slab.stats().allocations, slab.stats().frees);
}

TEST(SlabAllocator, OfSeveralThreadsThatFreeABlockOneGetsOk) {
  SlabAllocator slab;
  ASSERT_FALSE(slab.open(options_of(4 << 20)));
  constexpr int kThreads = 3;
  for (int round = 0; round < 20; ++round) {
    std::vector<std::uint32_t> blocks;
    for (int i = 0; i < 1000; ++i) blocks.push_back(slab.allocate(64 + i % 2000));
    std::latch start(kThreads);
    std::vector<std::size_t> freed(kThreads, 0);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        start.arrive_and_wait();
        for (const std::uint32_t block : blocks) {
          const FreeResult result = slab.free(block);
          if (result == FreeResult::kOk) ++freed[t];
        }
      });
    }
    for (auto& thread : threads) thread.join();
    ASSERT_EQ(freed[0] + freed[1] + freed[2], blocks.size());
  }
  EXPECT_EQ(slab.stats().in_use_bytes, 0u);
  slab.release_thread_cache();
  EXPECT_EQ(slab.stats().free_pages, 64u);
}

TEST(SlabAllocator, AShiftOfSizesStarvesNoClass) {
  SlabAllocator slab;
  ASSERT_FALSE(slab.open(options_of(4 << 20)));
  for (int round = 0; round < 3; ++round) {
    for (const std::size_t bytes : {64, 200, 1024, 9000, 32 << 10, 64 << 10, 4 << 20}) {
      const std::vector<std::uint32_t> blocks = fill(slab, bytes);
      const std::size_t in_a_page = std::max<std::size_t>(kPage / slab.class_bytes(bytes), 1);
      const std::size_t pages = std::max<std::size_t>(slab.class_bytes(bytes) / kPage, 1);
      ASSERT_EQ(blocks.size(), slab.max_bytes() / kPage / pages * in_a_page) << bytes;
      free_all(slab, blocks);
    }
  }
}

// An idle thread's cache holds a block of every class, and by them as many pages.
void idle_threads_hold_nothing_back(bool use_membarrier) {
  SlabAllocator slab;
  SlabOptions options = options_of(64 * kPage);
  options.use_membarrier = use_membarrier;
  ASSERT_FALSE(slab.open(options));
  constexpr int kThreads = 4;
  std::latch cached(kThreads);
  std::latch checked(1);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (std::size_t bytes = 64; bytes <= 32 << 10; bytes += 64) slab.free(slab.allocate(bytes));
      cached.count_down();
      checked.wait();
      // Suspended or not, the thread goes on as before.
      const std::uint32_t block = slab.allocate(100);
      EXPECT_NE(block, kNoBlock);
      EXPECT_EQ(slab.free(block), FreeResult::kOk);
    });
  }
  cached.wait();
  EXPECT_LT(slab.stats().free_pages, 64u);
  const std::vector<std::uint32_t> runs = fill(slab, kPage);
  EXPECT_EQ(runs.size(), 64u);
  EXPECT_EQ(slab.stats().exhausted, 1u);
  free_all(slab, runs);
  checked.count_down();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(slab.stats().in_use_bytes, 0u);
}

TEST(SlabAllocator, IdleThreadsHoldNothingBack) { idle_threads_hold_nothing_back(true); }
TEST(SlabAllocator, IdleThreadsHoldNothingBackWithoutMembarrier) {
  idle_threads_hold_nothing_back(false);
}

TEST(SlabAllocator, AThreadThatEndsGivesItsCacheBack) {
  SlabAllocator slab;
  ASSERT_FALSE(slab.open(options_of(4 << 20)));
  std::vector<std::uint32_t> kept;
  std::thread([&] {
    for (int i = 0; i < 100; ++i) kept.push_back(slab.allocate(64));
    for (int i = 0; i < 50; ++i) {
      slab.free(kept.back());
      kept.pop_back();
    }
  }).join();
  EXPECT_EQ(slab.stats().classes[0].in_use, 50u);
  free_all(slab, kept);
  slab.release_thread_cache();
  EXPECT_EQ(slab.stats().free_pages, 64u);
}

TEST(SlabAllocator, SlabsMayBeDestroyedBeforeTheThreadsThatUsedThem) {
  std::latch used(1);
  std::latch destroyed(1);
  auto slab = std::make_unique<SlabAllocator>();
  ASSERT_FALSE(slab->open(options_of(1 << 20)));
  std::thread user([&] {
    slab->free(slab->allocate(64));
    used.count_down();
    destroyed.wait();
    // Many more than a thread remembers, most of them gone.
    std::vector<std::unique_ptr<SlabAllocator>> slabs;
    for (int i = 0; i < 50; ++i) {
      slabs.push_back(std::make_unique<SlabAllocator>());
      ASSERT_FALSE(slabs.back()->open(options_of(1 << 20)));
      const std::uint32_t block = slabs.back()->allocate(100);
      ASSERT_NE(block, kNoBlock);
      ASSERT_EQ(slabs.front()->free(slabs.front()->allocate(100)), FreeResult::kOk);
      if (slabs.size() > 30) slabs.erase(slabs.begin());
    }
  });
  used.wait();
  slab.reset();
  destroyed.count_down();
  user.join();
}

struct AllocatesAtItsEnd {
  ~AllocatesAtItsEnd() { *result = slab->free(slab->allocate(1000)); }
  SlabAllocator* slab;
  FreeResult* result;
};

TEST(SlabAllocator, WorksWhileAThreadTearsDownItsThreadLocals) {
  SlabAllocator slab;
  ASSERT_FALSE(slab.open(options_of(1 << 20)));
  FreeResult result = FreeResult::kForeign;
  std::thread([&] {
    static thread_local AllocatesAtItsEnd last{&slab, &result};
    ASSERT_NE(last.slab, nullptr);
    EXPECT_EQ(slab.free(slab.allocate(1000)), FreeResult::kOk);
  }).join();
  EXPECT_EQ(result, FreeResult::kOk);
  EXPECT_EQ(slab.stats().free_pages, 16u);
}

TEST(SlabAllocator, MoreThreadsThanCachesAreServed) {
  SlabAllocator slab;
  SlabOptions options = options_of(4 << 20);
  options.max_thread_caches = 2;
  ASSERT_FALSE(slab.open(options));
  constexpr int kThreads = 5;
  std::latch all(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) ASSERT_EQ(slab.free(slab.allocate(300)), FreeResult::kOk);
      all.arrive_and_wait();
    });
  }
  for (auto& thread : threads) thread.join();
  const SlabStats stats = slab.stats();
  EXPECT_EQ(stats.allocations, 5000u);
  EXPECT_EQ(stats.frees, 5000u);
  EXPECT_EQ(stats.free_pages, 64u);
  options.max_thread_caches = 0;
  ASSERT_FALSE(slab.open(options));
  EXPECT_EQ(slab.free(slab.allocate(300)), FreeResult::kOk);
}

TEST(SlabAllocator, AfterCloseAllocationsFailAndOffsetsAreForeign) {
  SlabAllocator slab;
  EXPECT_EQ(slab.allocate(0), kNoBlock);
  EXPECT_EQ(slab.free(0), FreeResult::kForeign);
  ASSERT_FALSE(slab.open(options_of(1 << 20)));
  const std::uint32_t block = slab.allocate(64);
  slab.close();
  slab.close();
  for (const std::size_t bytes : {0, 64, 1 << 16}) EXPECT_EQ(slab.allocate(bytes), kNoBlock);
  EXPECT_EQ(slab.free(block), FreeResult::kForeign);
  EXPECT_EQ(slab.block_bytes(block), 0u);
  EXPECT_EQ(slab.trim(), 0u);
  EXPECT_EQ(slab.stats().max_bytes, 0u);
  slab.release_thread_cache();
  ASSERT_FALSE(slab.open(options_of(2 << 20)));
  EXPECT_NE(slab.allocate(64), kNoBlock);
  EXPECT_EQ(slab.stats().allocations, 1u);
}

TEST(SlabAllocator, CountsWhatIsLiveExactly) {
  SlabAllocator slab;
  ASSERT_FALSE(slab.open(options_of(8 << 20)));
  const std::uint32_t small = slab.allocate(100);
  const std::uint32_t none = slab.allocate(0);
  const std::uint32_t large = slab.allocate(20'000);
  const std::uint32_t run = slab.allocate(100'000);
  SlabStats stats = slab.stats();
  EXPECT_EQ(stats.max_bytes, std::size_t{8} << 20);
  EXPECT_EQ(stats.reserved_bytes,
            stats.max_bytes + SlabAllocator::metadata_bytes(options_of(8 << 20)));
  EXPECT_EQ(stats.requested_bytes, 120'100u);
  EXPECT_EQ(stats.in_use_bytes, 128u + 64u + 20'480u + 2 * kPage);
  EXPECT_EQ(stats.committed_bytes, 5 * kPage);
  EXPECT_EQ(stats.allocations, 4u);
  EXPECT_EQ(stats.frees, 0u);
  EXPECT_EQ(stats.runs, 1u);
  EXPECT_EQ(stats.run_pages, 2u);
  EXPECT_EQ(stats.classes[1].block_bytes, 128u);
  EXPECT_EQ(stats.classes[1].blocks, kPage / 128);
  EXPECT_EQ(stats.classes[1].in_use, 1u);
  for (const std::uint32_t block : {small, none, large, run}) slab.free(block);
  stats = slab.stats();
  EXPECT_EQ(stats.requested_bytes, 0u);
  EXPECT_EQ(stats.in_use_bytes, 0u);
  EXPECT_EQ(stats.frees, 4u);
}

std::size_t resident_bytes(const SlabAllocator& slab) {
  std::vector<unsigned char> pages(slab.max_bytes() / 4096);
  EXPECT_EQ(::mincore(slab.data(), slab.max_bytes(), pages.data()), 0);
  std::size_t bytes = 0;
  for (const unsigned char page : pages) bytes += (page & 1) * std::size_t{4096};
  return bytes;
}

TEST(SlabAllocator, TrimGivesMemoryBackToTheSystem) {
  SlabAllocator slab;
  ASSERT_FALSE(slab.open(options_of(32 << 20)));
  std::vector<std::uint32_t> blocks;
  for (int i = 0; i < 20'000; ++i) {
    blocks.push_back(slab.allocate(1024));
    slab.data(blocks.back())[0] = std::byte{1};
  }
  EXPECT_GE(resident_bytes(slab), 20'000u * 1024);
  const std::uint32_t kept = blocks.back();
  blocks.pop_back();
  free_all(slab, blocks);
  EXPECT_GE(slab.trim(), 19'000u * 1024);
  EXPECT_LE(resident_bytes(slab), kPage);
  EXPECT_EQ(slab.stats().committed_bytes, kPage);
  EXPECT_EQ(slab.data(kept)[0], std::byte{1});
  EXPECT_EQ(slab.trim(), 0u);
}

TEST(SlabAllocator, PhysicalMemoryIsTakenOnlyAsBlocksAreWritten) {
  SlabAllocator slab;
  ASSERT_FALSE(slab.open(options_of(1 << 30)));
  EXPECT_EQ(resident_bytes(slab), 0u);
  const std::uint32_t run = slab.allocate(512 << 20);
  ASSERT_NE(run, kNoBlock);
  EXPECT_EQ(resident_bytes(slab), 0u);
  slab.data(run)[0] = std::byte{1};
  EXPECT_EQ(resident_bytes(slab), 4096u);
}

// JavaScript can write to every byte of the arena at any time.
TEST(SlabAllocator, ScribblingOverTheArenaDoesNotBreakIt) {
  SlabAllocator slab;
  ASSERT_FALSE(slab.open(options_of(2 << 20)));
  const std::vector<std::uint32_t> blocks = fill(slab, 192);
  unpoison(slab.data(), slab.max_bytes());
  std::memset(slab.data(), 0xff, slab.max_bytes());
  free_all(slab, blocks);
  unpoison(slab.data(), slab.max_bytes());
  std::memset(slab.data(), 0x00, slab.max_bytes());
  EXPECT_EQ(fill(slab, 192).size(), blocks.size());
}

// Against a map of ranges: alignment, size, no overlap, contents kept, no false exhaustion.
TEST(SlabAllocator, AgreesWithAMapOfRanges) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  std::mt19937_64 random(seed);
  for (const std::size_t max_bytes : {kPage, 8 * kPage, 256 * kPage}) {
    SlabAllocator slab;
    ASSERT_FALSE(slab.open(options_of(max_bytes)));
    struct Range {
      std::uint32_t bytes;
      unsigned char mark;
    };
    std::map<std::uint32_t, Range> live;
    std::size_t requested = 0;
    for (int step = 0; step < 40'000; ++step) {
      // Phases of growth and of shrinking, so that the arena is full at times and empty at others.
      const bool grow = random() % 100 < (step / 5000 % 2 == 0 ? 65 : 35);
      if (grow) {
        const std::uint32_t limits[] = {200, 3000, 40'000, 200'000};
        const auto bytes = static_cast<std::uint32_t>(random() % limits[random() % 4]);
        const std::uint32_t block = slab.allocate(bytes);
        if (block == kNoBlock) continue;
        ASSERT_EQ(block % 64, 0u);
        ASSERT_EQ(slab.block_bytes(block), slab.class_bytes(bytes));
        ASSERT_LE(block + slab.block_bytes(block), max_bytes);
        const auto next = live.lower_bound(block);
        if (next != live.end()) {
          ASSERT_LE(block + slab.block_bytes(block), next->first);
        }
        if (next != live.begin()) {
          const auto before = std::prev(next);
          ASSERT_LE(before->first + slab.class_bytes(before->second.bytes), block);
        }
        const auto mark = static_cast<unsigned char>(random());
        std::memset(slab.data(block), mark, bytes);
        live.emplace(block, Range{bytes, mark});
        requested += bytes;
      } else if (!live.empty()) {
        auto victim = live.lower_bound(static_cast<std::uint32_t>(random() % max_bytes));
        if (victim == live.end()) victim = live.begin();
        const auto [bytes, mark] = victim->second;
        const auto* const data = reinterpret_cast<unsigned char*>(slab.data(victim->first));
        for (std::uint32_t at = 0; at < bytes; at += 1 + bytes / 64) ASSERT_EQ(data[at], mark);
        if (bytes != 0) {
          ASSERT_EQ(data[bytes - 1], mark);
        }
        ASSERT_EQ(slab.free(victim->first), FreeResult::kOk);
        ASSERT_EQ(slab.free(victim->first), FreeResult::kDoubleFree);
        requested -= bytes;
        live.erase(victim);
      }
      if (step % 1000 == 0) {
        const SlabStats stats = slab.stats();
        ASSERT_EQ(stats.requested_bytes, requested);
        ASSERT_EQ(stats.allocations - stats.frees, live.size());
        if (random() % 4 == 0) slab.trim();
      }
    }
    for (const auto& [block, range] : live) ASSERT_EQ(slab.free(block), FreeResult::kOk);
    slab.release_thread_cache();
    ASSERT_EQ(slab.stats().free_pages, max_bytes / kPage);
  }
}

TEST(SlabAllocator, ARequestOfNearlyAPageIsCountedWhateverTheLargestBlock) {
  for (const bool track_owners : {false, true}) {
    SlabOptions options = options_of(1 << 20);
    options.max_block_bytes = 2048;
    options.track_owners = track_owners;
    SlabAllocator slab;
    ASSERT_FALSE(slab.open(options));
    for (const std::size_t bytes : {2049, 32'769, 40'000, 65'535, 65'536}) {
      const std::uint32_t block = slab.allocate(bytes);
      ASSERT_NE(block, kNoBlock);
      EXPECT_EQ(slab.block_bytes(block), kPage);
      EXPECT_EQ(slab.stats().requested_bytes, bytes);
      EXPECT_EQ(slab.free(block), FreeResult::kOk);
    }
  }
}

TEST(SlabAllocator, ManyBlocksAtATimeAreAsGoodAsOneByOne) {
  SlabAllocator slab;
  ASSERT_FALSE(slab.open(options_of(4 << 20)));
  for (const std::size_t bytes : {64, 1000, 60'000, 200'000}) {
    std::vector<std::uint32_t> blocks(1000);
    const std::size_t most = slab.max_bytes() / slab.class_bytes(bytes);
    const std::size_t count = slab.allocate_many(bytes, blocks);
    EXPECT_EQ(count, std::min(most, blocks.size())) << bytes;
    blocks.resize(count);
    std::sort(blocks.begin(), blocks.end());
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_EQ(slab.block_bytes(blocks[i]), slab.class_bytes(bytes));
      if (i == 0) continue;
      ASSERT_GE(blocks[i] - blocks[i - 1], slab.class_bytes(bytes)) << "overlap";
    }
    EXPECT_EQ(slab.stats().requested_bytes, count * bytes);
    EXPECT_EQ(slab.free_many(blocks).result, FreeResult::kOk);
    EXPECT_EQ(slab.stats().in_use_bytes, 0u);
  }
}

TEST(SlabAllocator, AWrongOffsetAmongManyIsNamedAndTheOthersAreFreed) {
  SlabAllocator slab;
  ASSERT_FALSE(slab.open(options_of(4 << 20)));
  std::vector<std::uint32_t> blocks(10);
  ASSERT_EQ(slab.allocate_many(100, blocks), 10u);
  const std::uint32_t right = blocks[4];
  blocks[4] = right + 64;
  blocks[7] = blocks[6];
  const SlabAllocator::Refused refused = slab.free_many(blocks);
  EXPECT_EQ(refused.result, FreeResult::kForeign);
  EXPECT_EQ(refused.index, 4u);
  EXPECT_EQ(slab.stats().in_use_bytes, 2u * 128) << "the right one of 4, and 7";
}

// A steady load keeps what it uses; what was used once goes back.
TEST(SlabAllocator, WhatNobodyNeedsDecays) {
  SlabAllocator slab;
  ASSERT_FALSE(slab.open(options_of(16 << 20)));
  const std::uint32_t once = slab.allocate(8 << 20);
  slab.free(once);
  slab.decay();
  EXPECT_EQ(slab.stats().committed_bytes, std::size_t{8} << 20) << "needed since the last decay";
  const auto load = [&] { return slab.free(slab.allocate(1 << 20)); };
  ASSERT_EQ(load(), FreeResult::kOk);
  EXPECT_EQ(slab.decay(), std::size_t{7} << 20);
  EXPECT_EQ(slab.stats().committed_bytes, std::size_t{1} << 20);
  ASSERT_EQ(load(), FreeResult::kOk);
  EXPECT_EQ(slab.decay(), 0u);
  EXPECT_EQ(slab.decay(), std::size_t{1} << 20);
  EXPECT_EQ(slab.stats().committed_bytes, 0u);
}

}  // namespace
}  // namespace millrace
