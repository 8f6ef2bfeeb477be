#include "transport/tls_files.hpp"

#include "crypto/wiped.hpp"

#include <boost/system/system_category.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>

namespace dynconf::transport {

namespace {

constexpr std::size_t most_bytes = std::size_t{16} << 20;

struct descriptor {
    explicit descriptor(const std::string& path)
        // Not to wait for the other end of a pipe.
        : number(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
    descriptor(const descriptor&) = delete;
    descriptor& operator=(const descriptor&) = delete;
    ~descriptor() {
        if (number >= 0) ::close(number);
    }
    const int number;
};

error last_error(const std::string& path) {
    return {{errno, boost::system::system_category()}, "'" + path + "'"};
}

std::chrono::nanoseconds since_epoch(const timespec& t) {
    return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

policy::file_stamp stamp_of(const std::string& path) {
    policy::file_stamp stamp;
    struct stat found{};
    if (::stat(path.c_str(), &found) != 0) return stamp;
    stamp.device = found.st_dev;
    stamp.inode = found.st_ino;
    stamp.size = static_cast<std::uint64_t>(found.st_size);
    stamp.modified = since_epoch(found.st_mtim);
    stamp.changed = since_epoch(found.st_ctim);
    return stamp;
}

}  // namespace

result<secret> read_file(const std::string& path) {
    const descriptor file(path);
    struct stat found{};
    if (file.number < 0 || ::fstat(file.number, &found) != 0) return last_error(path);
    std::string content;
    const wiped at_end{content};
    content.resize(std::min(static_cast<std::size_t>(std::max<off_t>(found.st_size, 0)), most_bytes) + 1);
    for (std::size_t have = 0;;) {
        const ssize_t n = ::read(file.number, content.data() + have, content.size() - have);
        if (n < 0) return last_error(path);
        have += static_cast<std::size_t>(n);
        if (n == 0) return secret(std::string_view(content).substr(0, have));
        if (have > most_bytes) return error{make_error_code(boost::system::errc::file_too_large), "'" + path + "'"};
        if (have < content.size()) continue;
        // Larger than it said. A string that grows by itself would leave a copy behind.
        std::string larger(2 * have + 4096, '\0');
        std::copy(content.begin(), content.end(), larger.begin());
        content.swap(larger);
        wipe(larger);
    }
}

std::vector<std::string> files_in(const std::string& directory) {
    std::vector<std::string> all;
    std::error_code unreadable;
    for (std::filesystem::directory_iterator at(directory, unreadable), end; !unreadable && at != end; at.increment(unreadable)) {
        std::error_code gone;
        if (at->is_regular_file(gone)) all.push_back(at->path().native());
    }
    std::sort(all.begin(), all.end());
    return all;
}

policy::file_changes::stamps stamps_of(const tls_options& options) {
    policy::file_changes::stamps all;
    if (!options.insecure_skip_verify) {
        if (!options.ca_file.empty()) all.push_back(stamp_of(options.ca_file));
        if (!options.ca_directory.empty()) {
            all.push_back(stamp_of(options.ca_directory));
            for (const std::string& path : files_in(options.ca_directory)) all.push_back(stamp_of(path));
        }
    }
    for (const std::string* path : {&options.cert_file, &options.key_file, &options.key_password_file})
        if (!path->empty()) all.push_back(stamp_of(*path));
    return all;
}

}  // namespace dynconf::transport
