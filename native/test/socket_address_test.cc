#include "millrace/io/socket_address.h"

#include <gtest/gtest.h>

#include <string>

namespace millrace {
namespace {

TEST(SocketAddress, ReadsNumericAddressesBack) {
  RawAddress raw;
  ASSERT_TRUE(parse_ip("192.0.2.7", 8080, raw));
  SocketAddress address = to_socket_address(raw);
  EXPECT_EQ(address.family, AF_INET);
  EXPECT_EQ(address.port, 8080);
  EXPECT_STREQ(address.ip, "192.0.2.7");
  ASSERT_TRUE(parse_ip("2001:db8::1", 65'535, raw));
  address = to_socket_address(raw);
  EXPECT_EQ(address.family, AF_INET6);
  EXPECT_EQ(address.port, 65'535);
  EXPECT_STREQ(address.ip, "2001:db8::1");
  ASSERT_TRUE(parse_ip("::ffff:255.255.255.255", 1, raw));
  EXPECT_STREQ(to_socket_address(raw).ip, "::ffff:255.255.255.255");
  ASSERT_TRUE(parse_ip("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", 1, raw));
  EXPECT_EQ(raw.length, sizeof(sockaddr_in6));
}

TEST(SocketAddress, TakesTheZoneOfALinkLocalAddress) {
  RawAddress raw;
  ASSERT_TRUE(parse_ip("fe80::1%lo", 1, raw));
  EXPECT_EQ(reinterpret_cast<sockaddr_in6*>(raw.get())->sin6_scope_id, ::if_nametoindex("lo"));
  EXPECT_FALSE(parse_ip("fe80::1%no-such-zone", 1, raw));
  EXPECT_FALSE(parse_ip("fe80::1%", 1, raw));
}

TEST(SocketAddress, RefusesWhatIsNotAnAddress) {
  RawAddress raw;
  for (const std::string& text :
       {std::string("localhost"), std::string(""), std::string("1.2.3"), std::string("1.2.3.4.5"),
        std::string("::g"), std::string("127.0.0.1\0x", 11), std::string(500, '1')}) {
    EXPECT_FALSE(parse_ip(text, 1, raw)) << text;
  }
}

TEST(SocketAddress, ChecksTheLengthOfUnixPaths) {
  RawAddress raw;
  EXPECT_EQ(unix_address(std::string(107, 'p'), raw), 0);
  EXPECT_EQ(unix_address(std::string(108, 'p'), raw), ENAMETOOLONG);
  EXPECT_EQ(unix_address(std::string(1, '\0') + std::string(107, 'a'), raw), 0);
  EXPECT_EQ(raw.length, sizeof(sockaddr_un));
  EXPECT_EQ(unix_address(std::string(1, '\0') + std::string(108, 'a'), raw), ENAMETOOLONG);
  EXPECT_EQ(unix_address("", raw), EINVAL);
  EXPECT_EQ(unix_address(std::string("a\0b", 3), raw), EINVAL);
}

TEST(SocketAddress, AUnixSocketHasNoIp) {
  RawAddress raw;
  ASSERT_EQ(unix_address("/tmp/socket", raw), 0);
  const SocketAddress address = to_socket_address(raw);
  EXPECT_EQ(address.family, AF_UNIX);
  EXPECT_EQ(address.port, 0);
  EXPECT_STREQ(address.ip, "");
}

}  // namespace
}  // namespace millrace
