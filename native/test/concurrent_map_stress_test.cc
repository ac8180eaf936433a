#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "millrace/concurrent/concurrent_map.h"
#include "seed.h"
#include "watchdog.h"

namespace millrace {
namespace {

// Runs threads until each has done its work; the seed of thread t is seed + t.
class Threads {
 public:
  explicit Threads(std::uint64_t seed) : seed_(seed) {}
  ~Threads() { join(); }
  void start(std::function<void(std::mt19937_64&)> body) {
    threads_.emplace_back([body = std::move(body), seed = seed_ + threads_.size()] {
      std::mt19937_64 random(seed);
      body(random);
    });
  }
  void join() {
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  std::uint64_t seed_;
  std::vector<std::thread> threads_;
};

// A value that tells which key it belongs to.
std::uint64_t word_for(std::uint64_t key, std::uint64_t n) {
  return key << 40 | (n & 0xffffffffff);
}

TEST(ConcurrentMapStress, ReadersWithoutLocksSeeWholeEntries) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  const Watchdog watchdog("readers and writers of words, " + seed_note(seed));
  ConcurrentWordMap map;
  ASSERT_FALSE(map.open({}));
  constexpr std::uint64_t kKeys = 20'000;
  std::atomic<int> writers{2};
  std::atomic<std::uint64_t> wrong{0};
  std::atomic<std::uint64_t> hits{0};
  Threads threads(seed);
  for (int t = 0; t < 2; ++t) {
    threads.start([&](std::mt19937_64& random) {
      // Until a reader came to run, too.
      for (int i = 0; i < 60'000 || hits.load(std::memory_order_relaxed) == 0; ++i) {
        // A window of keys that wanders: segments split here and merge there.
        const std::uint64_t key = (i / 4 + random() % 5000) % kKeys;
        if (random() % 3 != 0) {
          map.set(key, word_for(key, random()),
                  random() % 8 == 0 ? MapTtl::after(1) : MapTtl::never());
        } else {
          map.erase(key);
        }
        if (i % 20'000 == 19'999) map.clear();
      }
      writers.fetch_sub(1);
    });
  }
  for (int t = 0; t < 2; ++t) {
    threads.start([&](std::mt19937_64& random) {
      std::uint64_t keys[64];
      while (writers.load() != 0) {
        for (std::uint64_t& key : keys) key = random() % kKeys;
        map.read_many(keys, [&](std::size_t i, const std::uint64_t* value) {
          if (value == nullptr) return;
          hits.fetch_add(1, std::memory_order_relaxed);
          if (*value >> 40 != keys[i]) wrong.fetch_add(1, std::memory_order_relaxed);
        });
      }
    });
  }
  threads.join();
  EXPECT_EQ(wrong.load(), 0u);
  EXPECT_GT(hits.load(), 0u);
}

TEST(ConcurrentMapStress, NoAdditionIsLost) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  const Watchdog watchdog("adding, " + seed_note(seed));
  ConcurrentWordMap words;
  ASSERT_FALSE(words.open({}));
  ConcurrentByteMap bytes;
  ASSERT_FALSE(bytes.open({}));
  constexpr std::uint64_t kKeys = 100;
  constexpr int kThreads = 4;
  constexpr int kAdditions = 20'000;
  Threads threads(seed);
  for (int t = 0; t < kThreads; ++t) {
    threads.start([&](std::mt19937_64& random) {
      for (int i = 0; i < kAdditions; ++i) {
        std::uint64_t key = random() % kKeys;
        if (i % 2 == 0) {
          words.change(key, [](const auto* held) {
            const std::uint64_t old = held == nullptr ? 0 : held->value();
            return ConcurrentWordMap::Change::put(old + 1, MapTtl::keep());
          });
          continue;
        }
        const MapBytes name{reinterpret_cast<const std::byte*>(&key), sizeof(key), false};
        // As a compare-and-set loop, the way callers do it who may not compute under the lock.
        for (;;) {
          std::uint64_t old = 0;
          const bool found = bytes.read(name, [&](const auto& entry) {
            entry.copy_value(reinterpret_cast<std::byte*>(&old));
          });
          const std::uint64_t next = old + 1;
          const MapBytes expected{reinterpret_cast<const std::byte*>(&old), sizeof(old), false};
          const MapBytes value{reinterpret_cast<const std::byte*>(&next), sizeof(next), false};
          if (bytes.compare_and_set(name, found ? std::optional(expected) : std::nullopt, value) ==
              MapResult::kChanged) {
            break;
          }
        }
      }
    });
  }
  threads.join();
  std::uint64_t sum = 0;
  for (std::uint64_t key = 0; key < kKeys; ++key) {
    words.read(key, [&](const auto& entry) { sum += entry.value(); });
    const MapBytes name{reinterpret_cast<const std::byte*>(&key), sizeof(key), false};
    bytes.read(name, [&](const auto& entry) {
      std::uint64_t value = 0;
      entry.copy_value(reinterpret_cast<std::byte*>(&value));
      sum += value;
    });
  }
  EXPECT_EQ(sum, std::uint64_t{kThreads} * kAdditions);
}

TEST(ConcurrentMapStress, ScanMissesNothingWhileTheTableGrowsAndShrinks) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  const Watchdog watchdog("scanning, " + seed_note(seed));
  ConcurrentWordMap map;
  ASSERT_FALSE(map.open({}));
  constexpr std::uint64_t kStay = 3000;
  for (std::uint64_t key = 0; key < kStay; ++key) map.set(key, 0);
  std::atomic<bool> stop{false};
  Threads threads(seed);
  for (std::uint64_t t = 1; t <= 2; ++t) {
    threads.start([&, t](std::mt19937_64& random) {
      const std::uint64_t base = t << 32;
      while (!stop.load()) {
        const std::uint64_t n = 1 + random() % 40'000;
        for (std::uint64_t i = 0; i < n && !stop.load(); ++i) map.set(base + i, 1);
        for (std::uint64_t i = 0; i < n; ++i) map.erase(base + i);
      }
    });
  }
  std::mt19937_64 random(seed);
  for (int round = 0; round < 20; ++round) {
    std::unordered_map<std::uint64_t, int> seen;
    std::uint64_t cursor = 0;
    do {
      cursor = map.scan(cursor, 1 + random() % 200, [&](const auto& entry) {
        if (entry.key() < kStay) ++seen[entry.key()];
        return true;
      });
    } while (cursor != 0);
    EXPECT_EQ(seen.size(), kStay) << "round " << round;
    for (const auto& [key, times] : seen) EXPECT_EQ(times, 1) << "key " << key;
  }
  stop.store(true);
  threads.join();
  EXPECT_EQ(map.size(), kStay);
}

// Key, length and a checksum-like filling: whatever is read under a key must be whole and its own.
std::string value_for(std::uint64_t key, std::uint64_t n, std::size_t size) {
  std::string value(size, static_cast<char>(key * 31 + n));
  std::memcpy(value.data(), &key, sizeof(key));
  std::memcpy(value.data() + 8, &n, sizeof(n));
  return value;
}
bool is_whole(std::uint64_t key, const std::string& value) {
  if (value.size() < 16) return false;
  std::uint64_t n;
  std::memcpy(&n, value.data() + 8, sizeof(n));
  return value == value_for(key, n, value.size());
}

class ByteMapStress : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(, ByteMapStress, testing::Bool(),
                         [](const auto& info) { return info.param ? "Evict" : "Refuse"; });

TEST_P(ByteMapStress, ValuesAreWholeWhileMemoryIsShort) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  const Watchdog watchdog("bytes, " + seed_note(seed));
  ConcurrentByteMap map;
  MapOptions options;
  options.max_bytes = std::size_t{1} << 20;
  options.evict = GetParam();
  ASSERT_FALSE(map.open(options));
  std::atomic<std::uint64_t> broken{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> hits{0};
  Threads threads(seed);
  for (int t = 0; t < 4; ++t) {
    threads.start([&](std::mt19937_64& random) {
      for (int i = 0; i < 15'000; ++i) {
        std::uint64_t key = random() % 2000;
        const MapBytes name{reinterpret_cast<const std::byte*>(&key), sizeof(key), false};
        switch (random() % 8) {
          case 0:
            map.erase(name);
            break;
          case 1:
          case 2:
          case 3: {
            const std::size_t size =
                16 + (random() % 50 == 0 ? random() % 20'000 : random() % 1000);
            const std::string value = value_for(key, random(), size);
            const MapBytes bytes{reinterpret_cast<const std::byte*>(value.data()),
                                 static_cast<std::uint32_t>(size), false};
            const MapTtl ttl = random() % 8 == 0 ? MapTtl::after(1) : MapTtl::never();
            if (map.set(name, bytes, ttl) != MapResult::kChanged) refused.fetch_add(1);
            break;
          }
          case 4: {
            std::uint64_t visited = 0;
            map.scan(random() >> 12, 20, [&](const auto& entry) {
              std::uint64_t its = 0;
              std::memcpy(&its, entry.key().data, sizeof(its));
              std::string value(entry.value_bytes(), '\0');
              entry.copy_value(reinterpret_cast<std::byte*>(value.data()));
              if (!is_whole(its, value)) broken.fetch_add(1);
              return ++visited < 20;
            });
            break;
          }
          default: {
            std::string value;
            const bool found = map.read(name, [&](const auto& entry) {
              value.resize(entry.value_bytes());
              entry.copy_value(reinterpret_cast<std::byte*>(value.data()));
            });
            if (!found) break;
            hits.fetch_add(1);
            if (!is_whole(key, value)) broken.fetch_add(1);
          }
        }
        if (i % 5000 == 4999 && random() % 4 == 0) map.clear();
      }
    });
  }
  threads.join();
  EXPECT_EQ(broken.load(), 0u);
  EXPECT_GT(hits.load(), 0u);
  if (GetParam()) {
    EXPECT_EQ(refused.load(), 0u);
  }
  EXPECT_LE(map.stats().used_bytes, options.max_bytes);
  map.clear();
  EXPECT_EQ(map.size(), 0u);
}

TEST(ConcurrentMapStress, TheNumberOfEntriesIsNeverExceeded) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  const Watchdog watchdog("bounded entries, " + seed_note(seed));
  for (const bool evict : {false, true}) {
    ConcurrentWordMap map;
    MapOptions options;
    options.max_entries = 500;
    options.evict = evict;
    ASSERT_FALSE(map.open(options));
    Threads threads(seed);
    for (int t = 0; t < 3; ++t) {
      threads.start([&](std::mt19937_64& random) {
        for (int i = 0; i < 20'000; ++i) {
          const std::uint64_t key = random() % 2000;
          if (random() % 3 == 0) {
            map.erase(key);
          } else {
            const MapResult result = map.set(key, key);
            EXPECT_TRUE(result == MapResult::kChanged || (!evict && result == MapResult::kFull));
          }
        }
      });
    }
    threads.join();
    EXPECT_LE(map.size(), options.max_entries);
    std::uint64_t entries = 0;
    EXPECT_EQ(map.scan(0, 10'000,
                       [&](const auto&) {
                         ++entries;
                         return true;
                       }),
              0u);
    EXPECT_EQ(entries, map.size());
  }
}

}  // namespace
}  // namespace millrace
