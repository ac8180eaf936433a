#include "millrace/memory/mapped_file.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>

#include "file_limit.h"
#include "temporary_folder.h"

namespace millrace {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

// Physical memory this process has for [start, start + bytes). (mincore would count what the kernel
// has read ahead into its page cache.)
std::size_t resident_bytes(const std::byte* start, std::size_t bytes) {
  const auto first = reinterpret_cast<std::uintptr_t>(start);
  std::ifstream smaps("/proc/self/smaps");
  std::size_t resident = 0;
  bool inside = false;
  for (std::string line; std::getline(smaps, line);) {
    unsigned long long from;
    unsigned long long to;
    unsigned long long kilobytes;
    if (std::sscanf(line.c_str(), "%llx-%llx ", &from, &to) == 2) {
      inside = from >= first && to <= first + bytes;
    } else if (inside && std::sscanf(line.c_str(), "Rss: %llu kB", &kilobytes) == 1) {
      resident += kilobytes * 1024;
    }
  }
  return resident;
}

TEST(MappedFile, LeavesNoNameBehind) {
  TemporaryFolder folder;
  MappedFile file;
  ASSERT_FALSE(file.open(folder.path(), kMiB));
  ASSERT_FALSE(file.extend(100));
  EXPECT_TRUE(folder.empty());
}

TEST(MappedFile, TakesMemoryAsItIsWrittenAndGivesItBackWhenDiscarded) {
  TemporaryFolder folder;
  MappedFile file;
  ASSERT_FALSE(file.open(folder.path(), 512 * kMiB));
  EXPECT_EQ(file.end(), 0u) << "nothing can be used yet";
  ASSERT_FALSE(file.extend(32 * kMiB));
  std::byte* const data = file.at(0);
  EXPECT_EQ(resident_bytes(data, 512 * kMiB), 0u);
  std::memset(data, 1, 16 * kMiB);
  EXPECT_GE(resident_bytes(data, 512 * kMiB), 16 * kMiB);
  EXPECT_LE(resident_bytes(data, 512 * kMiB), 18 * kMiB);
  file.discard(15 * kMiB + 5);
  EXPECT_EQ(file.start(), 15 * kMiB);
  EXPECT_LE(resident_bytes(data, 512 * kMiB), 3 * kMiB);
  EXPECT_EQ(file.at(15 * kMiB + 5), data + 15 * kMiB + 5) << "nothing has moved";
  EXPECT_EQ(*file.at(16 * kMiB - 1), std::byte{1});
}

TEST(MappedFile, BytesStayWhereTheyAreWhileItGrows) {
  TemporaryFolder folder;
  MappedFile file;
  ASSERT_FALSE(file.open(folder.path(), 64 * kMiB));
  ASSERT_FALSE(file.extend(1));
  std::byte* const first = file.at(0);
  *first = std::byte{42};
  for (std::uint64_t end = 2; end <= 64 * kMiB; end = end * 2 + 1000) {
    ASSERT_FALSE(file.extend(end));
    ASSERT_EQ(file.at(0), first);
    *file.at(end - 1) = std::byte{1};
  }
  EXPECT_EQ(*first, std::byte{42});
}

// The window is always in one piece, wherever on the tape it is.
TEST(MappedFile, RunsForEverInAWindow) {
  TemporaryFolder folder;
  MappedFile file;
  constexpr std::size_t kWindow = 3 * kMiB;
  constexpr std::size_t kChunk = 300'007;
  ASSERT_FALSE(file.open(folder.path(), kWindow));
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  const auto mark = [](std::uint64_t position) {
    return static_cast<std::uint64_t>(position * 31);
  };
  while (end < 40 * kMiB) {
    while (end + kChunk - begin > kWindow) {
      std::uint64_t first;
      std::uint64_t last;
      std::memcpy(&first, file.at(begin), 8);
      // By address, from the first byte of the window: that is what "one piece" means.
      std::memcpy(&last, file.at(begin) + kChunk - 8, 8);
      ASSERT_EQ(first, mark(begin));
      ASSERT_EQ(last, mark(begin) + 1);
      begin += kChunk;
      file.discard(begin);
    }
    ASSERT_FALSE(file.extend(end + kChunk));
    const std::uint64_t first = mark(end);
    const std::uint64_t last = first + 1;
    std::memset(file.at(end), 0xee, kChunk);
    std::memcpy(file.at(end), &first, 8);
    std::memcpy(file.at(end) + kChunk - 8, &last, 8);
    end += kChunk;
  }
}

TEST(MappedFile, RefusesAFileSystemInMemoryUnlessAllowed) {
  MappedFile file;
  EXPECT_EQ(file.open("/dev/shm", kMiB).code, MappedFile::kMemoryFileSystem);
  EXPECT_FALSE(file.is_open());
  ASSERT_FALSE(file.open("/dev/shm", kMiB, true));
  ASSERT_FALSE(file.extend(kMiB));
  *file.at(kMiB - 1) = std::byte{1};
}

TEST(MappedFile, SaysWhyItCannotOpen) {
  MappedFile file;
  const SystemError missing = file.open("/var/tmp/no/such/folder", kMiB);
  EXPECT_EQ(missing.code, ENOENT);
  EXPECT_STREQ(missing.syscall, "open");
  EXPECT_EQ(file.open("/var/tmp", 0).code, EINVAL);
  EXPECT_EQ(file.open("/var/tmp", SIZE_MAX).code, EINVAL);
  EXPECT_FALSE(file.is_open());
}

// Not SIGBUS at the first write, and not SIGXFSZ.
TEST(MappedFile, AFullDiskIsAnErrorAndWhatWasWrittenStays) {
  TemporaryFolder folder;
  MappedFile file;
  ASSERT_FALSE(file.open(folder.path(), 64 * kMiB));
  const FileLimit limit(4 * kMiB);
  ASSERT_FALSE(file.extend(3 * kMiB));
  std::memset(file.at(0), 7, 3 * kMiB);
  const SystemError full = file.extend(5 * kMiB);
  EXPECT_EQ(full.code, EFBIG);
  EXPECT_STREQ(full.syscall, "fallocate");
  EXPECT_EQ(*file.at(3 * kMiB - 1), std::byte{7});
  EXPECT_FALSE(file.extend(4 * kMiB)) << "what is left can still be had";
  *file.at(4 * kMiB - 1) = std::byte{1};
}

TEST(MappedFile, RefusesAWindowThatIsTooLong) {
  TemporaryFolder folder;
  MappedFile file;
  ASSERT_FALSE(file.open(folder.path(), kMiB));
  ASSERT_FALSE(file.extend(kMiB));
  EXPECT_EQ(file.extend(3 * kMiB).code, EMSGSIZE);
  file.discard(kMiB);
  EXPECT_FALSE(file.extend(2 * kMiB));
}

}  // namespace
}  // namespace millrace
