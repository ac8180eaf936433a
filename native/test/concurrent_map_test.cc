#include "millrace/concurrent/concurrent_map.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "seed.h"
#include "watchdog.h"

namespace millrace {
namespace {

constexpr std::uint64_t kHour = 3'600'000;

MapBytes bytes_of(const std::string& text, bool kind = false) {
  return {reinterpret_cast<const std::byte*>(text.data()), static_cast<std::uint32_t>(text.size()),
          kind};
}

std::optional<std::uint64_t> get(ConcurrentWordMap& map, std::uint64_t key) {
  std::optional<std::uint64_t> value;
  map.read(key, [&](const auto& entry) { value = entry.value(); });
  return value;
}

std::optional<std::string> get(ConcurrentByteMap& map, const std::string& key) {
  std::optional<std::string> value;
  map.read(bytes_of(key), [&](const auto& entry) {
    value.emplace(entry.value_bytes(), '\0');
    entry.copy_value(reinterpret_cast<std::byte*>(value->data()));
  });
  return value;
}

// Both kinds of map behind one face, for the tests that are about neither.
struct Words {
  using Map = ConcurrentWordMap;
  static std::uint64_t key(std::uint64_t n) { return n; }
  static std::uint64_t value(std::uint64_t n) { return n; }
  static std::uint64_t key_of(const Map::Entry& entry) { return entry.key(); }
};
struct Bytes {
  using Map = ConcurrentByteMap;
  // Alive until the call that it is an argument of has returned.
  struct Text {
    explicit Text(std::uint64_t n) : text(std::to_string(n)) {}
    operator MapBytes() const { return bytes_of(text); }
    std::string text;
  };
  static Text key(std::uint64_t n) { return Text(n); }
  static Text value(std::uint64_t n) { return Text(n); }
  static std::uint64_t key_of(const Map::Entry& entry) {
    const MapBytes key = entry.key();
    return std::stoull(std::string(reinterpret_cast<const char*>(key.data), key.size));
  }
};

template <class Kind>
class ConcurrentMapTest : public testing::Test {
 protected:
  using Map = typename Kind::Map;

  void open(MapOptions options = {}) { ASSERT_FALSE(map_.open(options)); }
  MapResult set(std::uint64_t key, std::uint64_t value, MapTtl ttl = MapTtl::never()) {
    return map_.set(Kind::key(key), Kind::value(value), ttl);
  }
  bool has(std::uint64_t key) { return map_.has(Kind::key(key)); }
  bool holds(std::uint64_t key, std::uint64_t value) {
    bool same = false;
    const auto expected = Kind::value(value);
    map_.read(Kind::key(key), [&](const auto& entry) { same = entry.value_is(expected); });
    return same;
  }

  Map map_;
};
using Kinds = testing::Types<Words, Bytes>;
TYPED_TEST_SUITE(ConcurrentMapTest, Kinds);

TYPED_TEST(ConcurrentMapTest, SetsReadsAndErases) {
  this->open();
  EXPECT_FALSE(this->has(5));
  EXPECT_EQ(this->set(5, 50), MapResult::kChanged);
  EXPECT_TRUE(this->holds(5, 50));
  EXPECT_EQ(this->set(5, 51), MapResult::kChanged);
  EXPECT_TRUE(this->holds(5, 51));
  EXPECT_EQ(this->map_.size(), 1u);
  EXPECT_EQ(this->map_.erase(TypeParam::key(5)), MapResult::kChanged);
  EXPECT_EQ(this->map_.erase(TypeParam::key(5)), MapResult::kUnchanged);
  EXPECT_FALSE(this->has(5));
  EXPECT_EQ(this->map_.size(), 0u);
}

TYPED_TEST(ConcurrentMapTest, ChangesOnlyOnTheConditionAsked) {
  this->open();
  auto& map = this->map_;
  const auto key = TypeParam::key(1);
  EXPECT_EQ(map.set_if_present(key, TypeParam::value(1)), MapResult::kUnchanged);
  EXPECT_EQ(map.set_if_absent(key, TypeParam::value(2)), MapResult::kChanged);
  EXPECT_EQ(map.set_if_absent(key, TypeParam::value(3)), MapResult::kUnchanged);
  EXPECT_TRUE(this->holds(1, 2));
  EXPECT_EQ(map.set_if_present(key, TypeParam::value(4)), MapResult::kChanged);
  EXPECT_EQ(map.compare_and_set(key, TypeParam::value(2), TypeParam::value(5)),
            MapResult::kUnchanged);
  EXPECT_EQ(map.compare_and_set(key, TypeParam::value(4), TypeParam::value(5)),
            MapResult::kChanged);
  EXPECT_EQ(map.compare_and_set(key, std::nullopt, TypeParam::value(6)), MapResult::kUnchanged);
  EXPECT_EQ(map.erase_if(key, TypeParam::value(4)), MapResult::kUnchanged);
  EXPECT_TRUE(this->holds(1, 5));
  EXPECT_EQ(map.erase_if(key, TypeParam::value(5)), MapResult::kChanged);
  EXPECT_EQ(map.compare_and_set(key, TypeParam::value(5), TypeParam::value(6)),
            MapResult::kUnchanged);
  EXPECT_EQ(map.compare_and_set(key, std::nullopt, TypeParam::value(6)), MapResult::kChanged);
  EXPECT_TRUE(this->holds(1, 6));
}

TYPED_TEST(ConcurrentMapTest, GrowsAndShrinksAndGivesPagesBack) {
  this->open();
  constexpr std::uint64_t kKeys = 60'000;
  const std::uint64_t empty = this->map_.stats().used_bytes;
  for (std::uint64_t i = 0; i < kKeys; ++i) ASSERT_EQ(this->set(i, i * 3), MapResult::kChanged);
  EXPECT_EQ(this->map_.size(), kKeys);
  for (std::uint64_t i = 0; i < kKeys; ++i) ASSERT_TRUE(this->holds(i, i * 3));
  EXPECT_FALSE(this->has(kKeys));
  const std::uint64_t full = this->map_.stats().used_bytes - empty;
  for (std::uint64_t i = 0; i < kKeys; ++i) {
    ASSERT_EQ(this->map_.erase(TypeParam::key(i)), MapResult::kChanged);
  }
  EXPECT_EQ(this->map_.size(), 0u);
  // Directories of several pages stay until clear().
  EXPECT_LT(this->map_.stats().used_bytes - empty, full / 16);
  this->map_.clear();
  EXPECT_EQ(this->map_.stats().used_bytes, empty);
}

TYPED_TEST(ConcurrentMapTest, StaysWithinItsBytesAndSaysWhenFull) {
  for (const std::size_t max_bytes : {std::size_t{64} << 10, std::size_t{1} << 20}) {
    MapOptions options;
    options.max_bytes = max_bytes;
    typename TypeParam::Map map;
    ASSERT_FALSE(map.open(options));
    EXPECT_LE(TypeParam::Map::bytes(options), max_bytes);
    EXPECT_GT(TypeParam::Map::bytes(options), max_bytes - 3 * kMapPageBytes);
    EXPECT_EQ(map.stats().max_bytes, TypeParam::Map::bytes(options));
    std::uint64_t n = 0;
    while (map.set(TypeParam::key(n), TypeParam::value(n)) == MapResult::kChanged) ++n;
    EXPECT_EQ(map.set(TypeParam::key(n), TypeParam::value(n)), MapResult::kFull);
    EXPECT_LE(map.stats().used_bytes, max_bytes);
    EXPECT_EQ(map.size(), n);
    EXPECT_GT(n * 16, max_bytes / 8);
    for (std::uint64_t i = 0; i < n; ++i) ASSERT_TRUE(map.has(TypeParam::key(i)));
    // A full map takes as many again after a clear.
    map.clear();
    for (std::uint64_t i = 0; i < n / 2; ++i) {
      ASSERT_EQ(map.set(TypeParam::key(~i >> 1), TypeParam::value(i)), MapResult::kChanged);
    }
  }
}

TYPED_TEST(ConcurrentMapTest, EvictsInsteadOfFailing) {
  MapOptions options;
  options.max_bytes = std::size_t{256} << 10;
  options.evict = true;
  this->open(options);
  constexpr std::uint64_t kHot = 50;
  constexpr std::uint64_t kSets = 30'000;
  for (std::uint64_t i = 0; i < kHot; ++i) this->set(i, i);
  for (std::uint64_t i = kHot; i < kSets; ++i) {
    ASSERT_EQ(this->set(i, i), MapResult::kChanged);
    ASSERT_TRUE(this->has(i));
    bool used = this->map_.read(TypeParam::key(i % kHot), [](const auto&) {});
    ASSERT_TRUE(used) << "hot key " << i % kHot << " after " << i;
  }
  const MapStats stats = this->map_.stats();
  EXPECT_EQ(stats.entries + stats.evicted, kSets);
  EXPECT_LE(stats.used_bytes, options.max_bytes);
  EXPECT_GT(stats.entries, 2000u);
}

TYPED_TEST(ConcurrentMapTest, KeepsToItsNumberOfEntries) {
  MapOptions options;
  options.max_entries = 1000;
  this->open(options);
  for (std::uint64_t i = 0; i < 1000; ++i) ASSERT_EQ(this->set(i, i), MapResult::kChanged);
  EXPECT_EQ(this->set(1000, 1), MapResult::kFull);
  EXPECT_EQ(this->set(999, 1), MapResult::kChanged);
  this->map_.erase(TypeParam::key(0));
  EXPECT_EQ(this->set(1000, 1), MapResult::kChanged);
  EXPECT_EQ(this->set(1001, 1), MapResult::kFull);
  EXPECT_EQ(this->map_.size(), 1000u);
  this->map_.clear();
  for (std::uint64_t i = 0; i < 1000; ++i) ASSERT_EQ(this->set(i, i), MapResult::kChanged);
  EXPECT_EQ(this->set(1000, 1), MapResult::kFull);
}

TYPED_TEST(ConcurrentMapTest, ASmallMapEvictsExactlyTheLeastRecentlyUsed) {
  MapOptions options;
  options.max_entries = 100;
  options.evict = true;
  this->open(options);
  for (std::uint64_t i = 0; i < 100; ++i) this->set(i, i);
  // From the oldest on: 99, 98, ..., 0.
  for (std::uint64_t i = 100; i-- > 0;) this->map_.read(TypeParam::key(i), [](const auto&) {});
  for (std::uint64_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(this->has(99 - i));
    ASSERT_EQ(this->set(1000 + i, i), MapResult::kChanged);
    ASSERT_FALSE(this->has(99 - i));
    ASSERT_EQ(this->map_.size(), 100u);
  }
}

TYPED_TEST(ConcurrentMapTest, TimesToLiveAreKeptSetAndTakenAway) {
  this->open();
  auto& map = this->map_;
  const auto key = TypeParam::key(1);
  EXPECT_EQ(map.ttl_ms(key), std::nullopt);
  EXPECT_EQ(map.expire(key, MapTtl::after(kHour)), MapResult::kUnchanged);
  this->set(1, 1);
  EXPECT_EQ(map.ttl_ms(key), map.kNoExpiry);
  EXPECT_EQ(map.persist(key), MapResult::kUnchanged);
  EXPECT_EQ(map.expire(key, MapTtl::after(kHour)), MapResult::kChanged);
  EXPECT_LE(map.ttl_ms(key), kHour);
  EXPECT_GT(map.ttl_ms(key), kHour / 2);
  this->set(1, 2, MapTtl::keep());
  EXPECT_LE(map.ttl_ms(key), kHour);
  EXPECT_EQ(map.compare_and_set(key, TypeParam::value(2), TypeParam::value(3)),
            MapResult::kChanged);
  EXPECT_LE(map.ttl_ms(key), kHour);
  EXPECT_EQ(map.persist(key), MapResult::kChanged);
  EXPECT_EQ(map.ttl_ms(key), map.kNoExpiry);
  this->set(1, 4, MapTtl::after(MapTtl::kMaxMs));
  EXPECT_GT(map.ttl_ms(key), MapTtl::kMaxMs - kHour);
  this->set(1, 5);
  EXPECT_EQ(map.ttl_ms(key), map.kNoExpiry);
  this->set(2, 5, MapTtl::keep());
  EXPECT_EQ(map.ttl_ms(TypeParam::key(2)), map.kNoExpiry);
}

TYPED_TEST(ConcurrentMapTest, ExpiresAndReclaims) {
  const Watchdog watchdog("waiting for entries to expire");
  this->open();
  constexpr std::uint64_t kKeys = 3000;
  const std::int64_t begun = monotonic_ns();
  for (std::uint64_t i = 0; i < kKeys; ++i) this->set(i, i, MapTtl::after(1 + i % 40));
  for (std::uint64_t i = kKeys; i < 2 * kKeys; ++i) this->set(i, i, MapTtl::after(kHour));
  this->set(2 * kKeys, 0);
  while (this->has(39)) sched_yield();
  EXPECT_GE(monotonic_ns() - begun, 40 * kNanosPerMilli) << "early";
  while (this->map_.size() != kKeys + 1) sched_yield();
  EXPECT_EQ(this->map_.stats().expired, kKeys);
  for (std::uint64_t i = kKeys; i <= 2 * kKeys; ++i) ASSERT_TRUE(this->has(i));
  EXPECT_EQ(this->map_.set_if_absent(TypeParam::key(0), TypeParam::value(1)), MapResult::kChanged);
}

TYPED_TEST(ConcurrentMapTest, WritesReclaimWhatHasExpired) {
  const Watchdog watchdog("waiting for writes to reclaim");
  MapOptions options;
  options.max_bytes = std::size_t{1} << 20;
  this->open(options);
  for (std::uint64_t i = 0; i < 10'000; ++i) this->set(i, i, MapTtl::after(1));
  // Keys that come and go in every shard; nobody asks for the others.
  for (std::uint64_t i = 0; this->map_.stats().entries > 1000; ++i) {
    this->set(100'000 + i % 1000, i);
    this->map_.erase(TypeParam::key(100'000 + i % 1000));
  }
  while (this->map_.size() != 0) sched_yield();
}

TYPED_TEST(ConcurrentMapTest, AFullMapReclaimsWhatHasExpiredFirst) {
  const Watchdog watchdog("waiting for room");
  MapOptions options;
  options.max_bytes = std::size_t{256} << 10;
  this->open(options);
  std::uint64_t n = 0;
  while (this->set(n, n, MapTtl::after(n % 2 == 0 ? 20 : kHour)) == MapResult::kChanged) ++n;
  while (this->set(n, n) != MapResult::kChanged) sched_yield();
  EXPECT_TRUE(this->has(1));
  EXPECT_FALSE(this->has(0));
}

TYPED_TEST(ConcurrentMapTest, ScanVisitsEachEntryOnce) {
  this->open();
  for (const std::uint64_t keys : {0u, 1u, 100u, 20'000u}) {
    this->map_.clear();
    for (std::uint64_t i = 0; i < keys; ++i) this->set(i, i);
    for (const std::uint32_t count : {1u, 10u, 1'000'000u}) {
      if (keys == 20'000 && count == 1) continue;
      std::set<std::uint64_t> seen;
      std::uint64_t cursor = 0;
      do {
        std::uint32_t visited = 0;
        cursor = this->map_.scan(cursor, count, [&](const auto& entry) {
          EXPECT_TRUE(seen.insert(TypeParam::key_of(entry)).second);
          ++visited;
          return true;
        });
        ASSERT_LE(visited, std::max(count, 1u) + 1);
      } while (cursor != 0);
      ASSERT_EQ(seen.size(), keys);
    }
  }
}

TYPED_TEST(ConcurrentMapTest, ScanComesBackForWhatWasRefused) {
  this->open();
  for (std::uint64_t i = 0; i < 1000; ++i) this->set(i, i);
  std::set<std::uint64_t> seen;
  std::uint64_t cursor = 0;
  do {
    int room = 3;
    cursor = this->map_.scan(cursor, 1000, [&](const auto& entry) {
      if (room-- == 0) return false;
      EXPECT_TRUE(seen.insert(TypeParam::key_of(entry)).second);
      return true;
    });
  } while (cursor != 0);
  EXPECT_EQ(seen.size(), 1000u);
}

TYPED_TEST(ConcurrentMapTest, ScanLeavesOutWhatHasExpired) {
  const Watchdog watchdog("waiting for an entry to expire");
  this->open();
  this->set(1, 1, MapTtl::after(1));
  this->set(2, 2);
  while (this->has(1)) sched_yield();
  this->set(3, 3, MapTtl::after(kHour));
  std::set<std::uint64_t> seen;
  EXPECT_EQ(this->map_.scan(0, 100,
                            [&](const auto& entry) {
                              seen.insert(TypeParam::key_of(entry));
                              return true;
                            }),
            0u);
  EXPECT_EQ(seen, (std::set<std::uint64_t>{2, 3}));
}

// Random operations, each compared with std::unordered_map.
TYPED_TEST(ConcurrentMapTest, BehavesAsAMapDoes) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  std::mt19937_64 random(seed);
  MapOptions options;
  options.seed = seed | 1;
  this->open(options);
  auto& map = this->map_;
  std::unordered_map<std::uint64_t, std::uint64_t> model;
  for (int step = 0; step < 160'000; ++step) {
    // Grows for a while, shrinks for a while.
    const std::uint64_t n = random() % 8000;
    const auto key = TypeParam::key(n);
    const std::uint64_t v = random() % 16;
    const auto value = TypeParam::value(v);
    const auto held = model.find(n);
    const bool there = held != model.end();
    const std::uint64_t op = random() % 8 + (step / 40'000 % 2 == 0 ? 0 : 3);
    bool changed = false;
    MapResult result = MapResult::kChanged;
    switch (op) {
      case 0:
      case 1:
        result = map.set(key, value, MapTtl::after(kHour));
        model[n] = v;
        changed = true;
        break;
      case 2:
        result = map.set_if_absent(key, value);
        changed = model.emplace(n, v).second;
        break;
      case 3:
        result = map.compare_and_set(key, TypeParam::value(v ^ 1), value);
        changed = there && held->second == (v ^ 1);
        if (changed) held->second = v;
        break;
      case 4:
        result = map.erase_if(key, value);
        changed = there && held->second == v;
        if (changed) model.erase(n);
        break;
      case 5:
        ASSERT_EQ(this->has(n), there);
        ASSERT_TRUE(!there || this->holds(n, held->second));
        continue;
      case 6:
        result = map.expire(key, MapTtl::after(kHour));
        changed = there;
        break;
      case 7:
        ASSERT_EQ(map.size(), model.size());
        continue;
      default:
        result = map.erase(key);
        changed = model.erase(n) != 0;
    }
    ASSERT_EQ(result, changed ? MapResult::kChanged : MapResult::kUnchanged) << "operation " << op;
  }
  std::uint64_t scanned = 0;
  std::uint64_t cursor = 0;
  do {
    cursor = map.scan(cursor, 100, [&](const auto& entry) {
      const auto held = model.find(TypeParam::key_of(entry));
      EXPECT_TRUE(held != model.end() && entry.value_is(TypeParam::value(held->second)));
      ++scanned;
      return true;
    });
  } while (cursor != 0);
  EXPECT_EQ(scanned, model.size());
}

TEST(ConcurrentWordMap, TakesEveryKey) {
  ConcurrentWordMap map;
  MapOptions options;
  options.max_bytes = MapOptions::kMinBytes;
  ASSERT_FALSE(map.open(options));
  std::vector<std::uint64_t> keys{0, 1, 3, 7, 15, ~std::uint64_t{0}};
  for (int bit = 4; bit < 64; ++bit) keys.push_back(std::uint64_t{1} << bit);
  for (const std::uint64_t key : keys) EXPECT_EQ(get(map, key), std::nullopt);
  for (const std::uint64_t key : keys) ASSERT_EQ(map.set(key, ~key), MapResult::kChanged);
  EXPECT_EQ(map.size(), keys.size());
  for (const std::uint64_t key : keys) EXPECT_EQ(get(map, key), ~key);
}

TEST(ConcurrentWordMap, ReadsABatch) {
  for (const bool evict : {false, true}) {
    ConcurrentWordMap map;
    MapOptions options;
    options.evict = evict;
    ASSERT_FALSE(map.open(options));
    std::vector<std::uint64_t> keys;
    for (std::uint64_t i = 0; i < 1000; ++i) {
      keys.push_back(i);
      if (i % 3 != 0) map.set(i, i * 2);
    }
    std::size_t visited = 0;
    map.read_many(keys, [&](std::size_t i, const std::uint64_t* value) {
      EXPECT_EQ(i, visited++);
      ASSERT_EQ(value != nullptr, i % 3 != 0);
      EXPECT_TRUE(value == nullptr || *value == i * 2);
    });
    EXPECT_EQ(visited, keys.size());
  }
}

TEST(ConcurrentByteMap, TellsKeysOfOneKindFromThoseOfTheOther) {
  ConcurrentByteMap map;
  ASSERT_FALSE(map.open({}));
  map.set(bytes_of("key", false), bytes_of("plain"));
  EXPECT_FALSE(map.has(bytes_of("key", true)));
  map.set(bytes_of("key", true), bytes_of("marked"));
  EXPECT_EQ(get(map, "key"), "plain");
  EXPECT_EQ(map.size(), 2u);
}

TEST(ConcurrentByteMap, RefusesWhatIsTooLarge) {
  ConcurrentByteMap map;
  MapOptions options;
  options.max_bytes = std::size_t{1} << 20;
  options.evict = true;
  ASSERT_FALSE(map.open(options));
  const std::string long_key(kMaxMapKeyBytes + 1, 'k');
  EXPECT_EQ(map.set(bytes_of(long_key), bytes_of("")), MapResult::kTooLarge);
  EXPECT_FALSE(map.has(bytes_of(long_key)));
  EXPECT_EQ(map.set(bytes_of(long_key.substr(1)), bytes_of("")), MapResult::kChanged);
  EXPECT_EQ(map.set(bytes_of("k"), bytes_of(std::string(600'000, 'v'))), MapResult::kTooLarge);
  const std::string large(400'000, 'v');
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(map.set(bytes_of(std::to_string(i)), bytes_of(large)), MapResult::kChanged);
    ASSERT_EQ(get(map, std::to_string(i)), large);
  }
}

// Values of all sizes come and go in a map that is nearly full all the time, so cleaning never
// rests. Without eviction what is refused is refused, the rest is right; with it nothing is.
class ConcurrentByteMapChurn : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(, ConcurrentByteMapChurn, testing::Bool(),
                         [](const auto& info) { return info.param ? "Evict" : "Refuse"; });

TEST_P(ConcurrentByteMapChurn, KeepsEveryByte) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  std::mt19937_64 random(seed);
  ConcurrentByteMap map;
  MapOptions options;
  options.max_bytes = std::size_t{1} << 20;
  options.evict = GetParam();
  ASSERT_FALSE(map.open(options));
  std::unordered_map<std::string, std::string> model;
  std::uint64_t refused = 0;
  std::uint64_t most = 0;
  std::uint64_t live = 0;
  for (int step = 0; step < 24'000; ++step) {
    const std::string key = "key:" + std::to_string(random() % 1500);
    const std::uint64_t size_class = random() % 100;
    // What is usual changes over time: size classes would starve.
    const std::uint64_t usual = step / 8000 % 2 == 0 ? 200 : 3000;
    std::string value(size_class < 2 ? random() % 30'000 : random() % usual, '\0');
    for (char& byte : value) byte = static_cast<char>(random());
    const auto held = model.find(key);
    const std::optional<std::string> seen = get(map, key);
    ASSERT_TRUE(GetParam() || seen.has_value() == (held != model.end()));
    ASSERT_TRUE(!seen || (held != model.end() && *seen == held->second));
    if (random() % 4 == 0) {
      map.erase(bytes_of(key));
      if (held != model.end()) {
        live -= held->second.size();
        model.erase(held);
      }
      continue;
    }
    const MapResult result = map.set(bytes_of(key), bytes_of(value));
    if (result == MapResult::kFull) {
      ASSERT_FALSE(GetParam());
      ++refused;
      continue;
    }
    ASSERT_EQ(result, MapResult::kChanged);
    live += value.size() - (held == model.end() ? 0 : held->second.size());
    model[key] = value;
    most = std::max(most, live);
  }
  if (!GetParam()) {
    EXPECT_GT(refused, 0u);
    EXPECT_GT(most, options.max_bytes * 6 / 10);
    EXPECT_EQ(map.size(), model.size());
  } else {
    EXPECT_GT(map.stats().evicted, 0u);
  }
}

}  // namespace
}  // namespace millrace
