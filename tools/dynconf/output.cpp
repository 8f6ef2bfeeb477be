#include "output.hpp"

#include <boost/asio/error.hpp>

#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace dynconf::tool {

boost::system::error_code output::write(std::string_view text) const noexcept {
    const auto failure = [] { return boost::system::error_code(errno, boost::system::system_category()); };
    while (!text.empty()) {
        std::array<pollfd, 2> ready{pollfd{STDOUT_FILENO, POLLOUT, 0}, pollfd{stop_, POLLIN, 0}};
        if (::poll(ready.data(), ready.size(), -1) < 0) {
            if (errno == EINTR) continue;
            return failure();
        }
        if (ready[0].revents == 0) return boost::asio::error::operation_aborted;
        // A pipe that is ready takes this much without blocking.
        const auto n = ::write(STDOUT_FILENO, text.data(), std::min<std::size_t>(text.size(), PIPE_BUF));
        if (n >= 0) text.remove_prefix(static_cast<std::size_t>(n));
        else if (errno != EINTR && errno != EAGAIN) return failure();
    }
    return {};
}

}  // namespace dynconf::tool
