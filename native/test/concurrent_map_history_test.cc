// Histories of single entries, recorded while the table around them grows and shrinks, are
// linearizable.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "millrace/base/clock.h"
#include "millrace/concurrent/concurrent_map.h"
#include "seed.h"
#include "support/map_history.h"
#include "watchdog.h"

namespace millrace {
namespace {

using Kind = MapEntrySpec::Kind;
using State = MapEntrySpec::State;

constexpr std::uint64_t kKeys = 4;
constexpr int kOperations = 4'000;
constexpr int kThreads = 3;

// The same calls on both kinds of map.
struct Words {
  using Map = ConcurrentWordMap;
  static std::uint64_t key(const std::uint64_t& key) { return key; }
  static std::uint64_t value(const std::uint64_t& value) { return value; }
  static std::uint64_t value_of(const Map::Entry& entry) { return entry.value(); }
};
struct Bytes {
  using Map = ConcurrentByteMap;
  static MapBytes of(const std::uint64_t& word) {
    return {reinterpret_cast<const std::byte*>(&word), sizeof word, false};
  }
  static MapBytes key(const std::uint64_t& key) { return of(key); }
  static MapBytes value(const std::uint64_t& value) { return of(value); }
  static std::uint64_t value_of(const Map::Entry& entry) {
    std::uint64_t value = 0;
    entry.copy_value(reinterpret_cast<std::byte*>(&value));
    return value;
  }
};

template <class Face>
class ConcurrentMapHistory : public ::testing::Test {
 protected:
  using Map = typename Face::Map;
  using Histories = std::array<std::vector<MapHistory::Record>, kKeys>;

  static MapEntrySpec::Operation perform(Map& map, const std::uint64_t& key,
                                         std::mt19937_64& random) {
    using Change = typename Map::Change;
    MapEntrySpec::Operation done{};
    const std::uint64_t argument = random() % 3;
    const std::uint64_t expected = random() % 3;
    switch (random() % 10) {
      case 0:
      case 1:
        done.kind = Kind::kSet;
        done.argument = argument;
        done.changed = map.set(Face::key(key), Face::value(argument)) == MapResult::kChanged;
        return done;
      case 2:
        done.kind = Kind::kErase;
        done.changed = map.erase(Face::key(key)) == MapResult::kChanged;
        return done;
      case 3:
        done.kind = Kind::kSetIfAbsent;
        done.argument = argument;
        done.changed =
            map.set_if_absent(Face::key(key), Face::value(argument)) == MapResult::kChanged;
        return done;
      case 4:
        done.kind = Kind::kCompareAndSet;
        done.argument = argument;
        done.expected = expected;
        done.changed = map.compare_and_set(Face::key(key), Face::value(expected),
                                           Face::value(argument)) == MapResult::kChanged;
        return done;
      case 5: {
        done.kind = Kind::kAdd;
        done.argument = 1;
        std::uint64_t sum = 0;
        map.change(Face::key(key), [&](const auto* held) {
          sum = (held == nullptr ? 0 : Face::value_of(*held)) + 1;
          return Change::put(Face::value(sum), MapTtl::keep());
        });
        done.seen = sum;
        return done;
      }
      default:
        done.kind = Kind::kGet;
        map.read(Face::key(key), [&](const auto& entry) { done.seen = Face::value_of(entry); });
        return done;
    }
  }

  static void record(Map& map, Histories& histories, std::mt19937_64& random) {
    for (int i = 0; i < kOperations; ++i) {
      const std::uint64_t key = random() % kKeys;
      const std::int64_t begin = monotonic_ns();
      const MapEntrySpec::Operation done = perform(map, key, random);
      histories[key].push_back({begin, monotonic_ns(), done});
    }
  }

  // Splits and merges the segments that the recorded keys lie in.
  static void disturb(Map& map, const std::atomic<int>& recording) {
    for (std::uint64_t round = 0; recording.load() != 0; ++round) {
      const std::uint64_t base = (round + 1) << 32;
      for (std::uint64_t i = 0; i < 4'000; ++i) {
        const std::uint64_t key = base + i;
        map.set(Face::key(key), Face::value(i));
      }
      for (std::uint64_t i = 0; i < 4'000; ++i) {
        const std::uint64_t key = base + i;
        map.erase(Face::key(key));
      }
    }
  }
};

TYPED_TEST_SUITE_P(ConcurrentMapHistory);

TYPED_TEST_P(ConcurrentMapHistory, IsLinearizable) {
  using Fixture = ConcurrentMapHistory<TypeParam>;
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  const Watchdog watchdog("recording histories, " + seed_note(seed));
  typename TypeParam::Map map;
  ASSERT_FALSE(map.open({}));
  std::array<typename Fixture::Histories, kThreads> recorded;
  std::atomic<int> recording{kThreads};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(seed + static_cast<std::uint64_t>(t));
      Fixture::record(map, recorded[static_cast<std::size_t>(t)], random);
      recording.fetch_sub(1);
    });
  }
  Fixture::disturb(map, recording);
  for (std::thread& thread : threads) thread.join();
  for (std::size_t key = 0; key < kKeys; ++key) {
    std::vector<MapHistory::Record> history;
    for (const auto& histories : recorded) {
      history.insert(history.end(), histories[key].begin(), histories[key].end());
    }
    EXPECT_TRUE(MapHistory::holds(history, std::nullopt)) << "key " << key;
    // The checker looks at this very history: one answer changed, and it fits no more.
    history[history.size() / 2].operation = {Kind::kGet, {}, {}, false, State(1'000'000)};
    EXPECT_FALSE(MapHistory::holds(history, std::nullopt)) << "key " << key;
  }
}

REGISTER_TYPED_TEST_SUITE_P(ConcurrentMapHistory, IsLinearizable);
using Faces = ::testing::Types<Words, Bytes>;
INSTANTIATE_TYPED_TEST_SUITE_P(Maps, ConcurrentMapHistory, Faces);

}  // namespace
}  // namespace millrace
