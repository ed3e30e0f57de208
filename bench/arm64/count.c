/*
 * A plugin of QEMU's emulation of user mode: counts the instructions of all threads of a program,
 * block by block, in the first eight bytes of the file that its argument `to=...` names ("QEMU TCG
 * Plugins" in QEMU's documentation). For QEMU 7.2; from 9.0 on, QEMU asks for a later version of
 * its interface.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

/* What is used of qemu-plugin.h, which Debian does not package. */
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
void qemu_plugin_register_vcpu_tb_trans_cb(
    qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(
    struct qemu_plugin_tb *, void (*)(unsigned, void *), enum qemu_plugin_cb_flags, void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);

int qemu_plugin_version = 1;

static uint64_t *count;

static void executed(unsigned processor, void *instructions)
{
    (void)processor;
    __atomic_fetch_add(count, (uintptr_t)instructions, __ATOMIC_RELAXED);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    (void)id;
    void *instructions = (void *)(uintptr_t)qemu_plugin_tb_n_insns(block);
    qemu_plugin_register_vcpu_tb_exec_cb(block, executed, QEMU_PLUGIN_CB_NO_REGS, instructions);
}

int qemu_plugin_install(qemu_plugin_id_t id, const void *emulator, int arguments, char **values)
{
    (void)emulator;
    if (arguments != 1 || strncmp(values[0], "to=", 3) != 0)
        return 1;
    int file = open(values[0] + 3, O_RDWR);
    if (file < 0)
        return 1;
    count = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (count == MAP_FAILED)
        return 1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
