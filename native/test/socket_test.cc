#include "millrace/io/socket.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <string>
#include <vector>

namespace millrace {
namespace {

bool wait_readable(int fd) {
  pollfd poll{fd, POLLIN, 0};
  return ::poll(&poll, 1, 10'000) == 1;
}

std::uint16_t port_of(int fd) {
  SocketAddress address;
  EXPECT_FALSE(local_address(fd, address));
  return address.port;
}

FileDescriptor connect_to(const RawAddress& address) {
  FileDescriptor fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_TRUE(fd);
  EXPECT_EQ(::connect(fd.get(), address.get(), address.length), 0);
  return fd;
}

FileDescriptor connect_to(const char* ip, std::uint16_t port) {
  RawAddress address;
  EXPECT_TRUE(parse_ip(ip, port, address));
  return connect_to(address);
}

ListenOptions local(std::uint16_t port = 0) {
  ListenOptions options;
  options.host = "127.0.0.1";
  options.port = port;
  return options;
}

bool has_ipv6() {
  FileDescriptor fd;
  ListenOptions options;
  options.host = "::1";
  return !listen_tcp(options, fd);
}

// A folder of its own for the sockets of one test.
class UnixSocket : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/millrace-socket-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    folder_ = name;
    path_ = folder_ + "/socket";
  }
  void TearDown() override {
    ::unlink(path_.c_str());
    ::rmdir(folder_.c_str());
  }
  std::string folder_;
  std::string path_;
};

TEST(Socket, AcceptsWithBothAddressesKnown) {
  FileDescriptor listener;
  ASSERT_FALSE(listen_tcp(local(), listener));
  const std::uint16_t port = port_of(listener.get());
  ASSERT_NE(port, 0);
  FileDescriptor connection;
  SocketAddress peer;
  SystemError error;
  EXPECT_EQ(accept_connection(listener.get(), connection, &peer, error), AcceptResult::kEmpty);
  EXPECT_EQ(error.code, EAGAIN);
  EXPECT_STREQ(error.syscall, "accept4");

  const FileDescriptor client = connect_to("127.0.0.1", port);
  ASSERT_TRUE(wait_readable(listener.get()));
  ASSERT_EQ(accept_connection(listener.get(), connection, &peer, error), AcceptResult::kAccepted);
  EXPECT_FALSE(error);
  EXPECT_EQ(peer.family, AF_INET);
  EXPECT_STREQ(peer.ip, "127.0.0.1");
  EXPECT_EQ(peer.port, port_of(client.get()));
  SocketAddress again;
  ASSERT_FALSE(peer_address(connection.get(), again));
  EXPECT_EQ(again.port, peer.port);
  EXPECT_EQ(port_of(connection.get()), port);
  EXPECT_TRUE(::fcntl(connection.get(), F_GETFL) & O_NONBLOCK);
  EXPECT_TRUE(::fcntl(connection.get(), F_GETFD) & FD_CLOEXEC);
  EXPECT_EQ(accept_connection(listener.get(), connection, nullptr, error), AcceptResult::kEmpty);
}

TEST(Socket, WithoutAHostItServesIpv4AndIpv6) {
  FileDescriptor listener;
  ASSERT_FALSE(listen_tcp({}, listener));
  SocketAddress own;
  ASSERT_FALSE(local_address(listener.get(), own));
  const FileDescriptor client = connect_to("127.0.0.1", own.port);
  ASSERT_TRUE(wait_readable(listener.get()));
  FileDescriptor connection;
  SocketAddress peer;
  SystemError error;
  ASSERT_EQ(accept_connection(listener.get(), connection, &peer, error), AcceptResult::kAccepted);
  if (own.family == AF_INET6) {
    EXPECT_STREQ(own.ip, "::");
    EXPECT_EQ(peer.family, AF_INET6);
    EXPECT_STREQ(peer.ip, "::ffff:127.0.0.1");
  } else {
    EXPECT_STREQ(own.ip, "0.0.0.0");
    EXPECT_STREQ(peer.ip, "127.0.0.1");
  }
}

TEST(Socket, Ipv6OnlyLeavesTheIpv4PortFree) {
  if (!has_ipv6()) GTEST_SKIP() << "this machine has no IPv6";
  FileDescriptor first;
  ListenOptions options;
  options.host = "::";
  options.ipv6_only = true;
  ASSERT_FALSE(listen_tcp(options, first));
  FileDescriptor second;
  options.host = "0.0.0.0";
  options.port = port_of(first.get());
  EXPECT_FALSE(listen_tcp(options, second));
}

TEST(Socket, ErrorsOfListeningReadAsInNode) {
  FileDescriptor first;
  ASSERT_FALSE(listen_tcp(local(), first));
  FileDescriptor second;
  SystemError error = listen_tcp(local(port_of(first.get())), second);
  EXPECT_EQ(error.code, EADDRINUSE);
  EXPECT_STREQ(error.syscall, "listen");
  EXPECT_FALSE(second);

  ListenOptions elsewhere;
  elsewhere.host = "192.0.2.1";  // TEST-NET-1: nobody has it
  error = listen_tcp(elsewhere, second);
  EXPECT_EQ(error.code, EADDRNOTAVAIL);
  EXPECT_STREQ(error.syscall, "listen");

  ListenOptions name;
  name.host = "localhost";
  EXPECT_EQ(listen_tcp(name, second).code, EINVAL);
}

TEST(Socket, ReusePortLetsSeveralListenOnOnePort) {
  ListenOptions options = local();
  options.reuse_port = true;
  FileDescriptor first, second, third;
  ASSERT_FALSE(listen_tcp(options, first));
  options.port = port_of(first.get());
  EXPECT_FALSE(listen_tcp(options, second));
  options.reuse_port = false;
  EXPECT_EQ(listen_tcp(options, third).code, EADDRINUSE);
}

TEST(Socket, AClosedPortCanBeTakenAtOnce) {
  FileDescriptor listener;
  ASSERT_FALSE(listen_tcp(local(), listener));
  const std::uint16_t port = port_of(listener.get());
  FileDescriptor client = connect_to("127.0.0.1", port);
  ASSERT_TRUE(wait_readable(listener.get()));
  FileDescriptor connection;
  SystemError error;
  ASSERT_EQ(accept_connection(listener.get(), connection, nullptr, error), AcceptResult::kAccepted);
  connection.reset();  // closes first: this end stays in TIME_WAIT
  ASSERT_TRUE(wait_readable(client.get()));
  client.reset();
  listener.reset();
  EXPECT_FALSE(listen_tcp(local(port), listener));
}

TEST_F(UnixSocket, ListensOnAPath) {
  FileDescriptor listener;
  ASSERT_FALSE(listen_unix(path_, 10, listener));
  RawAddress address;
  ASSERT_EQ(unix_address(path_, address), 0);
  const FileDescriptor client = connect_to(address);
  ASSERT_TRUE(wait_readable(listener.get()));
  FileDescriptor connection;
  SocketAddress peer;
  SystemError error;
  ASSERT_EQ(accept_connection(listener.get(), connection, &peer, error), AcceptResult::kAccepted);
  EXPECT_EQ(peer.family, AF_UNIX);
  EXPECT_STREQ(peer.ip, "");
  EXPECT_TRUE(set_no_delay(connection.get(), true));
}

TEST_F(UnixSocket, AStaleFileIsAddressInUse) {
  FileDescriptor listener;
  ASSERT_FALSE(listen_unix(path_, 10, listener));
  listener.reset();
  const SystemError error = listen_unix(path_, 10, listener);
  EXPECT_EQ(error.code, EADDRINUSE);
  EXPECT_STREQ(error.syscall, "listen");
  ::unlink(path_.c_str());
  EXPECT_FALSE(listen_unix(path_, 10, listener));
}

TEST_F(UnixSocket, AbstractNamesLeaveNoFile) {
  const std::string name = std::string(1, '\0') + path_;
  FileDescriptor listener;
  ASSERT_FALSE(listen_unix(name, 10, listener));
  RawAddress address;
  ASSERT_EQ(unix_address(name, address), 0);
  const FileDescriptor client = connect_to(address);
  EXPECT_TRUE(wait_readable(listener.get()));
  EXPECT_NE(::access(path_.c_str(), F_OK), 0);
}

TEST_F(UnixSocket, RefusesPathsThatAreTooLong) {
  FileDescriptor listener;
  const SystemError error = listen_unix(std::string(200, 'x'), 10, listener);
  EXPECT_EQ(error.code, ENAMETOOLONG);
  EXPECT_STREQ(error.syscall, "listen");
  EXPECT_EQ(listen_unix(folder_ + "/no/such", 10, listener).code, ENOENT);
}

TEST(Socket, TakesOverABoundDescriptor) {
  FileDescriptor made(::socket(AF_INET, SOCK_STREAM, 0));
  RawAddress address;
  ASSERT_TRUE(parse_ip("127.0.0.1", 0, address));
  ASSERT_EQ(::bind(made.get(), address.get(), address.length), 0);
  const int number = made.get();
  FileDescriptor listener;
  ASSERT_FALSE(listen_fd(number, 10, listener));
  made.release();
  EXPECT_EQ(listener.get(), number);
  EXPECT_TRUE(::fcntl(number, F_GETFL) & O_NONBLOCK);
  EXPECT_TRUE(::fcntl(number, F_GETFD) & FD_CLOEXEC);
  const FileDescriptor client = connect_to("127.0.0.1", port_of(number));
  EXPECT_TRUE(wait_readable(number));
}

TEST(Socket, RefusesDescriptorsThatCannotListen) {
  FileDescriptor listener;
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const FileDescriptor read_end(ends[0]), write_end(ends[1]);
  EXPECT_EQ(listen_fd(ends[0], 10, listener).code, EINVAL);
  const FileDescriptor datagrams(::socket(AF_INET, SOCK_DGRAM, 0));
  EXPECT_EQ(listen_fd(datagrams.get(), 10, listener).code, EINVAL);
  EXPECT_EQ(listen_fd(-1, 10, listener).code, EBADF);
  EXPECT_FALSE(listener);
}

TEST(Socket, RunningOutOfDescriptorsLeavesTheConnectionWaiting) {
  FileDescriptor listener;
  ASSERT_FALSE(listen_tcp(local(), listener));
  const FileDescriptor client = connect_to("127.0.0.1", port_of(listener.get()));
  ASSERT_TRUE(wait_readable(listener.get()));
  rlimit old;
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  rlimit none = old;
  none.rlim_cur = 0;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  FileDescriptor connection;
  SystemError error;
  const AcceptResult refused = accept_connection(listener.get(), connection, nullptr, error);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
  EXPECT_EQ(refused, AcceptResult::kNoDescriptors);
  EXPECT_EQ(error.code, EMFILE);
  EXPECT_EQ(accept_connection(listener.get(), connection, nullptr, error), AcceptResult::kAccepted);
}

TEST(Socket, AcceptingOnSomethingElseIsAnError) {
  const FileDescriptor unbound(::socket(AF_INET, SOCK_STREAM, 0));
  FileDescriptor connection;
  SystemError error;
  EXPECT_EQ(accept_connection(unbound.get(), connection, nullptr, error), AcceptResult::kError);
  EXPECT_EQ(error.code, EINVAL);
}

TEST(Socket, OptionsReachTheKernel) {
  const FileDescriptor fd(::socket(AF_INET, SOCK_STREAM, 0));
  const auto option = [&](int level, int name) {
    int value = -1;
    socklen_t length = sizeof value;
    EXPECT_EQ(::getsockopt(fd.get(), level, name, &value, &length), 0);
    return value;
  };
  EXPECT_FALSE(set_no_delay(fd.get(), true));
  EXPECT_NE(option(IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_FALSE(set_no_delay(fd.get(), false));
  EXPECT_EQ(option(IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_FALSE(set_keep_alive(fd.get(), true, 33));
  EXPECT_NE(option(SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_EQ(option(IPPROTO_TCP, TCP_KEEPIDLE), 33);
  EXPECT_FALSE(set_keep_alive(fd.get(), false, 0));
  EXPECT_EQ(option(SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_EQ(set_no_delay(-1, true).code, EBADF);
}

TEST(Socket, ShutdownReachesThePeerAndIsNoErrorAfterwards) {
  FileDescriptor listener;
  ASSERT_FALSE(listen_tcp(local(), listener));
  const FileDescriptor client = connect_to("127.0.0.1", port_of(listener.get()));
  ASSERT_TRUE(wait_readable(listener.get()));
  FileDescriptor connection;
  SystemError error;
  ASSERT_EQ(accept_connection(listener.get(), connection, nullptr, error), AcceptResult::kAccepted);
  EXPECT_FALSE(shutdown_socket(connection.get(), SHUT_WR));
  ASSERT_TRUE(wait_readable(client.get()));
  char byte;
  EXPECT_EQ(::read(client.get(), &byte, 1), 0);
  EXPECT_FALSE(shutdown_socket(connection.get(), SHUT_RDWR));
  EXPECT_FALSE(shutdown_socket(connection.get(), SHUT_RDWR));
  EXPECT_EQ(shutdown_socket(-1, SHUT_WR).code, EBADF);
}

TEST(Socket, TheStandingErrorIsTakenOnce) {
  FileDescriptor listener;
  ASSERT_FALSE(listen_tcp(local(), listener));
  FileDescriptor client = connect_to("127.0.0.1", port_of(listener.get()));
  ASSERT_TRUE(wait_readable(listener.get()));
  FileDescriptor connection;
  SystemError error;
  ASSERT_EQ(accept_connection(listener.get(), connection, nullptr, error), AcceptResult::kAccepted);
  const linger reset{1, 0};
  ASSERT_EQ(::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
  client.reset();
  ASSERT_TRUE(wait_readable(connection.get()));
  EXPECT_EQ(take_socket_error(connection.get()), ECONNRESET);
  EXPECT_EQ(take_socket_error(connection.get()), 0);
}

}  // namespace
}  // namespace millrace
