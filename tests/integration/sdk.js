// What the vendor's own SDK for JavaScript makes of connect-sim: node sdk.js SDK-FOLDER URL KEY

const [, , sdk, url, key] = process.argv;
const { ConnectClient, Directory, Fulfillment, Listings, Subscriptions } = require(sdk);

const RESOURCES = ['accounts', 'assets', 'billingRequests', 'listingRequests', 'products', 'recurringAssets',
  'requests', 'tierAccountRequests', 'tierAccounts', 'tierConfigRequests', 'tierConfigs', 'webhooks'];

async function read(client, name) {
  const ids = (list) => list.map((o) => o.id);
  const all = await client[name].search({ limit: 100, offset: 0 });
  const [first, second] = ids(all);
  return {
    count: all.length,
    found: ids(await client[name].search({ id: second })).join() === second,
    paged: ids(await client[name].search({ id: { $in: [first, second] }, $ordering: 'id', limit: 1, offset: 1 })).join()
      === [first, second].sort()[1],
    got: (await client[name].get(second)).id === second,
  };
}

async function act(client) {
  const fulfillment = new Fulfillment(client), directory = new Directory(client);
  const update = 'TCR-448-719-877-002';
  await fulfillment.approveTierConfigRequestWithTemplate('TCR-908-022-156-001', 'TL-712-480-662');
  await fulfillment.inquireTierConfigRequest(update, [{ id: 'reseller_code', value_error: 'no' }], 'a note');
  await fulfillment.pendingTierConfigRequest(update);
  await fulfillment.failTierConfigRequest(update, 'no');
  await new Listings(client).deployListingRequest('LSTR-308-918-054-001');
  return {
    tierConfigRequest: (await fulfillment.getTierConfigRequest(update)).status,
    listing: (await client.listingRequests.get('LSTR-308-918-054-001')).state,
    accepted: (await directory.acceptTierAccountRequest('TAR-6458-9737-0065-003-001')).status,
    ignored: (await directory.ignoreTierAccountRequest('TAR-4487-1987-3778-002-001', 'same')).status,
    asset: (await directory.getAssetsByProductIdExternalId('PRD-578-226-824', '97957968'))[0].id,
    attributes: await new Subscriptions(client).updateBillingRequestAttributes(
      'BRV-6990-1715-4170-0001', { vendor: { a: 1 } }),
  };
}

async function main() {
  const client = new ConnectClient(url, `ApiKey ${key}`);
  const resources = {};
  for (const name of RESOURCES) {
    resources[name] = await read(client, name);
  }
  console.log(JSON.stringify({ resources, acts: await act(client) }));
}

main().catch((e) => { console.error(e); process.exitCode = 1; });
