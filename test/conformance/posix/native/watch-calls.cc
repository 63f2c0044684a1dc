// inotify. Events are there when the call that made them has returned, so nothing waits.
#include <sys/inotify.h>
#include <unistd.h>

#include "calls.h"

namespace syscalls {
namespace {

struct Name {
  std::uint32_t bit;
  const char* text;
};

constexpr Name names[] = {
    {IN_ACCESS, "ACCESS"},           {IN_MODIFY, "MODIFY"},           {IN_ATTRIB, "ATTRIB"},
    {IN_CLOSE_WRITE, "CLOSE_WRITE"}, {IN_CLOSE_NOWRITE, "CLOSE"},     {IN_OPEN, "OPEN"},
    {IN_MOVED_FROM, "MOVED_FROM"},   {IN_MOVED_TO, "MOVED_TO"},       {IN_CREATE, "CREATE"},
    {IN_DELETE, "DELETE"},           {IN_DELETE_SELF, "DELETE_SELF"}, {IN_MOVE_SELF, "MOVE_SELF"},
    {IN_IGNORED, "IGNORED"},         {IN_Q_OVERFLOW, "OVERFLOW"},     {IN_UNMOUNT, "UNMOUNT"},
};

std::string describe(const inotify_event& event) {
  std::string text;
  for (const Name& name : names) {
    if ((event.mask & name.bit) != 0) text += name.text;
  }
  return event.len > 0 ? text + ":" + encode(event.name) : text;
}

// watch PATH MASK: a descriptor of its own for each watch.
std::string watch(const Words& words) {
  const int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) return error_name();
  const std::string path = words.path(0).text;
  if (inotify_add_watch(fd, path.c_str(), static_cast<std::uint32_t>(words.number(1))) < 0) return error_name();
  return std::to_string(fd);
}

std::string events(const Words& words) {
  std::string text;
  alignas(inotify_event) char buffer[8192];
  for (ssize_t got; (got = read(words.integer(0), buffer, sizeof buffer)) > 0;) {
    for (const char* at = buffer; at < buffer + got;) {
      const auto* const event = reinterpret_cast<const inotify_event*>(at);
      text += (text.empty() ? "" : " ") + describe(*event);
      at += sizeof(inotify_event) + event->len;
    }
  }
  return text.empty() ? "none" : text;
}

}  // namespace

void add_watch_calls(CallTable& table) {
  table["watch"] = watch;
  table["events"] = events;
}

}  // namespace syscalls
