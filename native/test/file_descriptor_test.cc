#include "millrace/base/file_descriptor.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <utility>

namespace millrace {
namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }
int open_null() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

TEST(FileDescriptor, ClosesAtTheEndOfItsLife) {
  int number;
  {
    const FileDescriptor fd(open_null());
    number = fd.get();
    ASSERT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(FileDescriptor, IsInvalidUntilItHasOne) {
  const FileDescriptor fd;
  EXPECT_FALSE(fd);
  EXPECT_EQ(fd.get(), -1);
}

TEST(FileDescriptor, MovesOwnership) {
  FileDescriptor first(open_null());
  const int number = first.get();
  FileDescriptor second(std::move(first));
  EXPECT_FALSE(first.valid());  // NOLINT: what a moved-from descriptor holds is specified
  EXPECT_EQ(second.get(), number);
  FileDescriptor third(open_null());
  const int replaced = third.get();
  third = std::move(second);
  EXPECT_FALSE(is_open(replaced));
  EXPECT_EQ(third.get(), number);
  EXPECT_TRUE(is_open(number));
}

TEST(FileDescriptor, ReleaseLeavesItOpen) {
  FileDescriptor fd(open_null());
  const int number = fd.release();
  EXPECT_FALSE(fd.valid());
  ASSERT_TRUE(is_open(number));
  ::close(number);
}

TEST(FileDescriptor, ResetToItsOwnNumberKeepsItOpen) {
  FileDescriptor fd(open_null());
  fd.reset(fd.get());
  EXPECT_TRUE(is_open(fd.get()));
}

}  // namespace
}  // namespace millrace
