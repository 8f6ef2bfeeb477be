#include "etcd/snapshot_file.hpp"

#include <openssl/evp.h>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <utility>

namespace dynconf::etcd {

namespace {

constexpr std::size_t checksum_size = 32;

error_code last_error() { return {errno, boost::system::system_category()}; }

}  // namespace

struct snapshot_file::digest {
    digest() : context(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
        if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) throw std::bad_alloc();
    }

    void add(std::string_view bytes) {
        if (EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) != 1) throw std::runtime_error("SHA-256 does not work");
    }

    std::string value() {
        unsigned char bytes[EVP_MAX_MD_SIZE];
        unsigned size = 0;
        if (EVP_DigestFinal_ex(context.get(), bytes, &size) != 1) throw std::runtime_error("SHA-256 does not work");
        return {reinterpret_cast<const char*>(bytes), size};
    }

    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context;
};

result<std::unique_ptr<snapshot_file>> snapshot_file::create(std::filesystem::path path) {
    std::string temporary = path.native() + ".part-XXXXXX";
    const int fd = ::mkostemp(temporary.data(), O_CLOEXEC);
    if (fd < 0) return error{last_error(), "create " + temporary};
    return std::unique_ptr<snapshot_file>(new snapshot_file(std::move(path), std::move(temporary), fd));
}

snapshot_file::snapshot_file(std::filesystem::path path, std::string temporary, int fd)
    : path_(std::move(path)), temporary_(std::move(temporary)), fd_(fd), digest_(std::make_unique<digest>()) {}

snapshot_file::~snapshot_file() {
    ::close(fd_);
    abandon();
}

void snapshot_file::abandon() noexcept {
    if (!named_) ::unlink(temporary_.c_str());
}

error snapshot_file::failed(std::string_view step) const {
    const error_code code = last_error();
    return {code, std::string(step) + ' ' + (named_ ? path_.native() : temporary_)};
}

result<void> snapshot_file::write(std::string_view bytes) {
    tail_ += bytes;
    if (tail_.size() > checksum_size) {
        digest_->add(std::string_view(tail_).substr(0, tail_.size() - checksum_size));
        tail_.erase(0, tail_.size() - checksum_size);
    }
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return failed("write");
        size_ += static_cast<std::uint64_t>(n);
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
}

result<void> snapshot_file::seal() {
    if (size_ <= checksum_size || digest_->value() != tail_)
        return error{errc::malformed_response, "the checksum of the snapshot does not fit"};
    if (::fsync(fd_) != 0) return failed("fsync");
    return {};
}

result<void> snapshot_file::publish() {
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) return failed("rename");
    named_ = true;
    // The name, too, has to survive a power cut.
    const std::filesystem::path folder = path_.has_parent_path() ? path_.parent_path() : std::filesystem::path(".");
    const int dir = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool safe = dir >= 0 && ::fsync(dir) == 0;
    const error why = safe ? error{} : failed("fsync the folder of");
    if (dir >= 0) ::close(dir);
    if (!safe) return why;
    return {};
}

}  // namespace dynconf::etcd
