#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

// A folder on disk (/var/tmp: /tmp may be in memory) that is gone after the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    path_ = "/var/tmp/millrace-test-XXXXXX";
    EXPECT_NE(::mkdtemp(path_.data()), nullptr);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const char* path() const { return path_.c_str(); }
  bool empty() const { return std::filesystem::is_empty(path_); }

 private:
  std::string path_;
};
