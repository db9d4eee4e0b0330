import { headers } from 'next/headers';
import Ready from './ready';

export const metadata = { title: 'Next.js' };

export default async function Layout({ children }) {
  const service = (await headers()).get('x-capture-service');
  return (
    <html lang="en">
      <head>
        <script src="/observer.js" />
        {service && (
          <script
            src={`${service}/frontend_data_capture_integration.js`}
            crossOrigin="anonymous"
            data-person="profile"
          />
        )}
      </head>
      <body>
        {children}
        <Ready />
      </body>
    </html>
  );
}
