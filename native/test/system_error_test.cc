#include "millrace/base/system_error.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(SystemError, IsFalseForSuccess) { EXPECT_FALSE(SystemError{}); }

TEST(SystemError, KeepsErrnoAndTheNameOfTheCall) {
  ASSERT_EQ(::open("/does/not/exist", O_RDONLY), -1);
  const SystemError error = last_system_error("open");
  EXPECT_TRUE(error);
  EXPECT_EQ(error.code, ENOENT);
  EXPECT_STREQ(error.syscall, "open");
}

}  // namespace
}  // namespace millrace
