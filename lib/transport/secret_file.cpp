#include "transport/secret_file.hpp"

#include "crypto/wiped.hpp"

#include <boost/system/system_category.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace dynconf::transport {

namespace {

struct descriptor {
    explicit descriptor(const std::string& path) : number(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY)) {}
    descriptor(const descriptor&) = delete;
    descriptor& operator=(const descriptor&) = delete;
    ~descriptor() {
        if (number >= 0) ::close(number);
    }
    const int number;
};

error last_error(const std::string& path) { return {{errno, boost::system::system_category()}, "'" + path + "'"}; }

}  // namespace

// Not through a stream, whose buffer nobody wipes.
result<secret> read_secret_file(const std::string& path, std::size_t most) {
    const descriptor file(path);
    struct stat found{};
    if (file.number < 0 || ::fstat(file.number, &found) != 0) return last_error(path);
    std::string content;
    const wiped at_end{content};
    content.resize(std::min(static_cast<std::size_t>(std::max<off_t>(found.st_size, 0)), most) + 1);
    for (std::size_t have = 0;;) {
        const ssize_t n = ::read(file.number, content.data() + have, content.size() - have);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return last_error(path);
        have += static_cast<std::size_t>(n);
        if (n == 0) return secret(std::string_view(content).substr(0, have));
        if (have > most) return error{make_error_code(boost::system::errc::file_too_large), "'" + path + "'"};
        if (have < content.size()) continue;
        // Larger than it said. A string that grows by itself would leave a copy behind.
        std::string larger(std::min(2 * have + 4096, most + 1), '\0');
        std::copy(content.begin(), content.end(), larger.begin());
        content.swap(larger);
        wipe(larger);
    }
}

std::string_view without_line_break(std::string_view text) noexcept {
    if (text.ends_with('\n')) text.remove_suffix(1);
    if (text.ends_with('\r')) text.remove_suffix(1);
    return text;
}

}  // namespace dynconf::transport
