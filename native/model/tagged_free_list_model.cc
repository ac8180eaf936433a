// TaggedFreeList: no index is given to two at once, none is lost, and who takes one sees what its
// last holder did to the record.
#include "checker/weakenings.h"

// After it: what follows is compiled for the checker.
#include "checker/use_checked_atomics.h"
#include "millrace/memory/tagged_free_list.h"

namespace millrace::model {
namespace {

Explorer& checker() { return Explorer::instance(); }

struct List {
  static constexpr std::uint32_t kRecords = 3;
  std::atomic<std::uint32_t> links[kRecords] = {};
  Plain<std::uint32_t> records[kRecords];
  TaggedFreeList list;

  // All records were used once; the tag is about to wrap.
  explicit List(std::uint32_t listed = kRecords) {
    list.open(kRecords, links, 0xfffffffe);
    std::uint32_t indices[kRecords];
    for (std::uint32_t& index : indices) index = list.take_unused();
    list.give(std::span(indices).first(listed));
  }

  // Two holders of one record at a time would race here.
  void use(std::uint32_t index) { records[index].set(records[index].get() + 1); }

  void expect_free(std::uint32_t expected) {
    std::uint32_t all[kRecords + 1];
    const std::uint32_t count = list.take(all);
    bool seen[kRecords] = {};
    for (std::uint32_t i = 0; i < count; ++i) {
      if (seen[all[i]]) checker().fail("an index is in the list twice");
      seen[all[i]] = true;
    }
    if (count != expected) checker().fail("an index is lost");
  }
};

// The classic: one thread reads the top, the other takes two and gives the first back.
struct Overtaken : List {
  static constexpr const char* kName = "overtaken";
  static constexpr int kThreads = 2;
  std::uint32_t kept = 0;
  void run(int thread) {
    if (thread == 0) {
      const std::uint32_t index = list.take_one();
      if (index == TaggedFreeList::kNone) return;
      use(index);
      ++kept;
      return;
    }
    const std::uint32_t first = list.take_one();
    checker().begin_call();
    const std::uint32_t second = list.take_one();
    if (second != TaggedFreeList::kNone) use(second);
    use(first);
    checker().begin_call();
    list.give(std::span(&first, 1));
  }
  void finish() { expect_free(kRecords - 1 - kept); }
};

struct Batches : List {
  static constexpr const char* kName = "batches";
  static constexpr int kThreads = 2;
  void run(int) {
    std::uint32_t indices[2];
    const std::uint32_t count = list.take(indices);
    for (std::uint32_t i = 0; i < count; ++i) use(indices[i]);
    checker().begin_call();
    list.give(std::span(indices).first(count));
  }
  void finish() { expect_free(kRecords); }
};

// Two give, one takes from below the top what the first of them gave.
struct Givers : List {
  static constexpr const char* kName = "two givers";
  static constexpr int kThreads = 3;
  Givers() : List(1) {}
  std::uint32_t taken = 0;
  void run(int thread) {
    if (thread < 2) {
      const std::uint32_t index = static_cast<std::uint32_t>(thread) + 1;
      use(index);
      list.give(std::span(&index, 1));
      return;
    }
    std::uint32_t indices[2];
    taken = list.take(indices);
    for (std::uint32_t i = 0; i < taken; ++i) use(indices[i]);
  }
  void finish() { expect_free(kRecords - taken); }
};

struct Unused {
  static constexpr const char* kName = "unused indices";
  static constexpr int kThreads = 2;
  std::atomic<std::uint32_t> links[2] = {};
  Plain<std::uint32_t> records[2];
  TaggedFreeList list;
  Unused() { list.open(2, links); }
  void run(int) {
    const std::uint32_t index = list.take_unused();
    if (index == TaggedFreeList::kNone) checker().fail("none of two is left for the second");
    records[index].set(1);
  }
  void finish() {
    if (list.take_unused() != TaggedFreeList::kNone) checker().fail("an index beyond the range");
  }
};

// The exchange that takes finds the very head that was acquired before it, so it acquires twice.
TEST(TaggedFreeListModel, WeakerOrdersGiveAnIndexTwice) {
  Weakenings<Overtaken, Batches, Givers, Unused>::expect_failures(
      "TaggedFreeList", {
                            "TaggedFreeList::take: read-modify-write acquire -> relaxed",
                        });
}

}  // namespace
}  // namespace millrace::model
