#include "transport/tls_files.hpp"

#include "transport/secret_file.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

namespace dynconf::transport {

namespace {

constexpr std::size_t most_bytes = std::size_t{16} << 20;

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

result<secret> read_file(const std::string& path) { return read_secret_file(path, most_bytes); }

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

bool names_files(const tls_options& options) {
    const bool authorities = !options.insecure_skip_verify && (!options.ca_file.empty() || !options.ca_directory.empty());
    return authorities || !options.cert_file.empty() || !options.key_file.empty() || !options.key_password_file.empty();
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
