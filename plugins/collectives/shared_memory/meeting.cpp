// meeting.cpp - an abstract socket of Linux, over which a descriptor is sent to processes of the same user.
#include "meeting.hpp"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

namespace regimen::shared_memory {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto patience = std::chrono::minutes(2);  // those who come late may still read their files

// Begins with 0: no file, and gone with the socket.
std::pair<sockaddr_un, socklen_t> address_of(std::string_view place) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = "regimen-" + std::string(place);
  require(!place.empty() && name.size() < sizeof address.sun_path, "the place of the processes has no usable name");
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  return {address, static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size())};
}

Descriptor new_socket() {
  Descriptor made(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (made.get() < 0) fail_with_errno("a socket cannot be made");
  return made;
}

// Whoever knows the name may ask: only the same user is answered.
bool is_same_user(int connection) {
  ucred who{};
  socklen_t size = sizeof who;
  return ::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 && who.uid == ::geteuid();
}

union Control {  // aligned as the header in it
  cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int))];
};

void send_descriptor(int connection, int fd) {
  char byte = 1;
  iovec data{&byte, 1};
  Control control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  cmsghdr* const head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(head), &fd, sizeof fd);
  if (::sendmsg(connection, &message, MSG_NOSIGNAL) != 1) fail_with_errno("the shared memory cannot be handed over");
}

Descriptor receive_descriptor(int connection) {
  char byte = 0;
  iovec data{&byte, 1};
  Control control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  if (::recvmsg(connection, &message, MSG_CMSG_CLOEXEC) != 1) fail_with_errno("process 0 hands no shared memory over");
  const cmsghdr* const head = CMSG_FIRSTHDR(&message);
  require(head && head->cmsg_type == SCM_RIGHTS, "process 0 hands no shared memory over");
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(head), sizeof fd);
  return Descriptor(fd);
}

Descriptor receive(const Joining& joining) {
  const auto [address, length] = address_of(joining.place);
  for (const auto end = Clock::now() + patience; Clock::now() < end;) {
    const Descriptor connection = new_socket();
    if (::connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0)
      return receive_descriptor(connection.get());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  throw Error(RGM_DEVICE_ERROR, "process 0 did not come within two minutes");
}

Descriptor hand_out(const Joining& joining, size_t bytes) {
  Descriptor memory = make_memory(bytes);
  const auto [address, length] = address_of(joining.place);
  const Descriptor door = new_socket();
  if (::bind(door.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0 ||
      ::listen(door.get(), static_cast<int>(joining.size)) != 0)
    fail_with_errno("no socket can be opened for the other processes");
  const auto end = Clock::now() + patience;
  for (uint32_t came = 1; came < joining.size;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    pollfd wait{door.get(), POLLIN, 0};
    const int ready = left > 0 ? ::poll(&wait, 1, static_cast<int>(left)) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0)
      throw Error(RGM_DEVICE_ERROR, "only " + std::to_string(came) + " of " + std::to_string(joining.size) +
                                        " processes came within two minutes");
    const Descriptor connection(::accept4(door.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (connection.get() < 0 || !is_same_user(connection.get())) continue;
    send_descriptor(connection.get(), memory.get());
    ++came;
  }
  return memory;
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

void fail_with_errno(const std::string& what) { throw Error(RGM_DEVICE_ERROR, what + ": " + std::strerror(errno)); }

Descriptor make_memory(size_t bytes) {
  Descriptor memory(::memfd_create("regimen", MFD_CLOEXEC));
  if (memory.get() < 0 || ::ftruncate(memory.get(), static_cast<off_t>(bytes)) != 0)
    fail_with_errno("memory to share cannot be made");
  return memory;
}

Descriptor meet(const Joining& joining, size_t bytes) {
  return joining.rank == 0 ? hand_out(joining, bytes) : receive(joining);
}

}  // namespace regimen::shared_memory
