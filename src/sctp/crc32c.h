/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SCTP_CRC32C_H
#define RMI_SCTP_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* CRC32c (RFC 9260 appendix A): of one packet in pieces, beginning with RMI_CRC32C_INIT and ended by
 * rmi_crc32c_finish, whose value goes on the wire with its lowest byte first. */
#define RMI_CRC32C_INIT 0xffffffffU
uint32_t rmi_crc32c_update(uint32_t crc, const uint8_t *data, size_t len);
uint32_t rmi_crc32c_finish(uint32_t crc);
/* Without the processor's own instruction, for comparison. */
uint32_t rmi_crc32c_update_portable(uint32_t crc, const uint8_t *data, size_t len);

#endif
