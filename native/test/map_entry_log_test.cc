#include "millrace/concurrent/map_entry_log.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "millrace/concurrent/map_fragment.h"
#include "millrace/concurrent/map_pages.h"
#include "seed.h"

namespace millrace {
namespace {

MapBytes bytes_of(const std::string& text, bool kind = false) {
  return {reinterpret_cast<const std::byte*>(text.data()), static_cast<std::uint32_t>(text.size()),
          kind};
}

class MapEntryLogTest : public testing::Test {
 protected:
  void open(std::uint32_t pages) {
    memory_ = std::vector<MapPage>(pages);
    notes_.resize(pages);
    pages_.open(memory_.data(), notes_.data(), pages, 0);
  }

  std::string value(std::uint32_t ref) {
    const MapByteEntry entry(pages_, ref, 0);
    std::string out(entry.value_bytes(), '\0');
    entry.copy_value(reinterpret_cast<std::byte*>(out.data()));
    EXPECT_TRUE(entry.value_is(bytes_of(out, entry.value_kind())));
    return out;
  }
  std::string key(std::uint32_t ref) {
    const MapBytes key = MapByteEntry(pages_, ref, 0).key();
    return {reinterpret_cast<const char*>(key.data), key.size};
  }

  std::vector<MapPage> memory_;
  std::vector<MapPageNote> notes_;
  MapPages pages_;
  MapEntryLog log_;
};

TEST_F(MapEntryLogTest, KeepsEntriesOfEverySize) {
  open(200);
  std::mt19937_64 random(1);
  for (const std::uint32_t key_size : {0u, 1u, 7u, 8u, 100u, 3000u, kMaxMapKeyBytes}) {
    for (const std::uint32_t size :
         {0u, 1u, 8u, 79u, 80u, 81u, 4000u, 4072u, 4080u, 4081u, 100'000u}) {
      std::string key(key_size, 'k');
      std::string bytes(size, '\0');
      for (char& byte : bytes) byte = static_cast<char>(random());
      const std::uint32_t ref = log_.append(pages_, bytes_of(key, true), bytes_of(bytes));
      ASSERT_NE(ref, 0u) << key_size << " + " << size;
      EXPECT_EQ(value(ref), bytes);
      EXPECT_EQ(this->key(ref), key);
      EXPECT_TRUE(MapByteEntry(pages_, ref, 0).key_is(bytes_of(key, true)));
      EXPECT_FALSE(MapByteEntry(pages_, ref, 0).key_is(bytes_of(key, false)));
      EXPECT_FALSE(MapByteEntry(pages_, ref, 0).value_is(bytes_of(bytes, true)));
      log_.release(pages_, ref);
      EXPECT_EQ(pages_.used(), 0u);
    }
  }
}

TEST_F(MapEntryLogTest, OverwritesWhereTheFootprintIsTheSame) {
  open(20);
  const std::uint32_t ref = log_.append(pages_, bytes_of("key"), bytes_of("12345"));
  EXPECT_TRUE(log_.overwrite(pages_, ref, bytes_of("abc")));
  EXPECT_EQ(value(ref), "abc");
  EXPECT_FALSE(log_.overwrite(pages_, ref, bytes_of("abcdef")));
  EXPECT_EQ(value(ref), "abc");
}

TEST_F(MapEntryLogTest, AnswersNoneWhenThePagesAreUsedUp) {
  open(4);
  const std::string large(3 * 4080, 'x');
  EXPECT_EQ(log_.append(pages_, bytes_of(""), bytes_of(large + 'y')), 0u);
  EXPECT_EQ(pages_.used(), 0u);
  const std::uint32_t ref = log_.append(pages_, bytes_of(""), bytes_of(large));
  EXPECT_EQ(value(ref), large);
  EXPECT_EQ(log_.append(pages_, bytes_of("more"), bytes_of("")), 0u);
  log_.clear(pages_);
  EXPECT_EQ(pages_.used(), 0u);
}

// Random appends, overwrites and releases beside cleanings: every entry keeps its bytes, and when
// nothing more can be cleaned the pages are well used.
TEST_F(MapEntryLogTest, CleaningMovesWhatLives) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_note(seed));
  std::mt19937_64 random(seed);
  open(256);
  std::map<std::uint32_t, std::pair<std::string, std::string>> model;
  std::uint64_t moves = 0;
  const auto clean = [&] {
    return log_.clean(pages_, [&](std::uint32_t from, std::uint32_t to) {
      auto node = model.extract(from);
      ASSERT_FALSE(node.empty());
      node.key() = to;
      ASSERT_TRUE(model.insert(std::move(node)).inserted);
      ++moves;
    });
  };
  for (int step = 0; step < 30'000; ++step) {
    if (random() % 5 < 3) {
      const std::uint64_t kind = random() % 100;
      std::string key(kind == 0 ? random() % kMaxMapKeyBytes : random() % 40, '\0');
      std::string bytes(kind < 5    ? random() % 20'000
                        : kind < 30 ? random() % 3000
                                    : random() % 200,
                        '\0');
      for (char& byte : key) byte = static_cast<char>(random());
      for (char& byte : bytes) byte = static_cast<char>(random());
      std::uint32_t ref = 0;
      while ((ref = log_.append(pages_, bytes_of(key), bytes_of(bytes))) == 0) {
        if (!clean()) break;
      }
      if (ref != 0) {
        ASSERT_TRUE(model.emplace(ref, std::pair(key, bytes)).second);
        continue;
      }
      // Full. Two thirds, at the least, is what users put there.
      std::uint64_t live = 0;
      for (const auto& [at, entry] : model) live += entry.first.size() + entry.second.size();
      ASSERT_GT(live, std::uint64_t{256} * kMapPageBytes * 2 / 3);
    }
    if (model.empty()) continue;
    auto victim = model.lower_bound(static_cast<std::uint32_t>(random() % (256 * kMapPageWords)));
    if (victim == model.end()) victim = model.begin();
    ASSERT_EQ(value(victim->first), victim->second.second);
    ASSERT_EQ(key(victim->first), victim->second.first);
    log_.release(pages_, victim->first);
    model.erase(victim);
  }
  EXPECT_GT(moves, 1000u);
  while (clean()) {
  }
  for (const auto& [ref, entry] : model) {
    ASSERT_EQ(value(ref), entry.second);
    log_.release(pages_, ref);
  }
  EXPECT_EQ(pages_.used(), 0u);
}

}  // namespace
}  // namespace millrace
