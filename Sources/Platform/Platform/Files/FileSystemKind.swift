internal import CLinux
internal import Glibc

/// What kind of file system something lies on, by the magic number that statfs(2) gives.
package enum FileSystemKind {
    /// Whether the kernel makes up what is in it (`/proc`, `/sys` and their kind): nothing there is anybody's data,
    /// and reading it can be endless or have effects.
    package static func isPseudo(_ file: Int32) -> Bool {
        let type = linux_file_system_type(file)
        return type >= 0 && pseudo.contains(type)
    }

    /// statfs(2) and linux/magic.h.
    private static let pseudo: Set<Int> = [
        0x9fa0,  // proc
        0x6265_6572,  // sysfs
        0x27e0eb,  // cgroup
        0x6367_7270,  // cgroup2
        0x1cd1,  // devpts
        0x6462_6720,  // debugfs
        0x7472_6163,  // tracefs
        0x7363_6673,  // securityfs
        0xf97c_ff8c,  // selinuxfs
        0x4341_5d53,  // smackfs
        0x6165_676c,  // pstorefs
        0xcafe_4a11,  // bpf
        0x1980_0202,  // mqueue
        0x4249_4e4d,  // binfmt_misc
        0x6265_6570,  // configfs
        0x6573_5543,  // fusectl
        0x6e73_6673,  // nsfs
        0xde5e_81e4,  // efivarfs
        0x6759_6969,  // rpc_pipefs
        0x187,  // autofs
        0x9fa2,  // usbdevfs
    ]
}
